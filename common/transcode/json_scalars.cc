#include "common/transcode/json_scalars.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/transcode/field_setter.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Kind = JsonValue::Kind;

// `-? int frac? exp?` of RFC 8259 §6, which is what a number in a string must look like too.
bool IsJsonNumber(absl::string_view text) {
  const absl::string_view digits = text.substr(!text.empty() && text[0] == '-' ? 1 : 0);
  if (digits.empty() || !absl::ascii_isdigit(digits[0])) return false;
  if (digits[0] == '0' && digits.size() > 1 && absl::ascii_isdigit(digits[1])) return false;
  if (digits.back() == '.' || digits.find(".e") != absl::string_view::npos ||
      digits.find(".E") != absl::string_view::npos) {
    return false;
  }
  return ParseDouble(text).has_value() || digits.find_first_of("eE") != absl::string_view::npos;
}

// A number that is whole, `5.0` and `5e0` included, as plain digits; nullopt otherwise. Exact: no
// double in between.
std::optional<std::string> WholeDigits(absl::string_view number) {
  const bool negative = number[0] == '-';
  if (negative) number.remove_prefix(1);
  int exponent = 0;
  if (const size_t e = number.find_first_of("eE"); e != absl::string_view::npos) {
    if (!absl::SimpleAtoi(number.substr(e + 1), &exponent)) return std::nullopt;
    number = number.substr(0, e);
  }
  const size_t dot = number.find('.');
  std::string digits(number.substr(0, dot));
  const size_t fraction_at = digits.size();
  if (dot != absl::string_view::npos) absl::StrAppend(&digits, number.substr(dot + 1));
  // The point moves right by `exponent`; what is left behind it must be zeros.
  const int64_t point = static_cast<int64_t>(fraction_at) + exponent;
  if (point > 400) return std::nullopt;
  for (size_t i = point < 0 ? 0 : static_cast<size_t>(point); i < digits.size(); ++i) {
    if (digits[i] != '0') return std::nullopt;
  }
  if (point <= 0) return "0";
  digits.resize(static_cast<size_t>(point), '0');
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return "0";
  return (negative ? "-" : "") + digits.substr(first);
}

// The number that `json` is, or holds as a string.
std::optional<absl::string_view> NumberText(const JsonValue& json) {
  if (json.kind == Kind::kNumber) return json.text;
  if (json.kind == Kind::kString && IsJsonNumber(json.text)) return json.text;
  return std::nullopt;
}

template <typename T>
std::optional<T> Whole(const JsonValue& json, std::optional<T> (*parse)(absl::string_view)) {
  const std::optional<absl::string_view> text = NumberText(json);
  if (!text) return std::nullopt;
  const std::optional<std::string> digits = WholeDigits(*text);
  if (!digits) return std::nullopt;
  return parse(*digits);
}

template <typename T>
std::optional<T> Real(const JsonValue& json, std::optional<T> (*parse)(absl::string_view)) {
  if (json.kind == Kind::kString &&
      (json.text == "NaN" || json.text == "Infinity" || json.text == "-Infinity")) {
    return parse(json.text);
  }
  const std::optional<absl::string_view> text = NumberText(json);
  if (!text) return std::nullopt;
  return parse(*text);
}

std::optional<int> EnumNumber(const JsonValue& json, const FieldDescriptor& field) {
  if (json.kind == Kind::kString) {
    const auto* value = field.enum_type()->FindValueByName(json.text);
    if (value == nullptr) return std::nullopt;
    return value->number();
  }
  if (json.kind == Kind::kNull) return 0;  // Only google.protobuf.NullValue comes here with null.
  if (json.kind != Kind::kNumber) return std::nullopt;
  return Whole<int32_t>(json, ParseInt32);
}

// Sets `value`; false when there is none.
template <typename T>
bool Put(const std::optional<T>& value, const FieldDescriptor& field, Message& message) {
  if (value) SetField(*value, field, message);
  return value.has_value();
}

bool ReadBool(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (json.kind != Kind::kTrue && json.kind != Kind::kFalse) return false;
  SetField(json.kind == Kind::kTrue, field, message);
  return true;
}

bool ReadText(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (json.kind != Kind::kString) return false;
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return Put(DecodeBase64(json.text), field, message);
  }
  SetField(json.text, field, message);
  return true;
}

bool ReadEnum(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (IsUnknownEnumName(json, field)) return true;
  const std::optional<int> number = EnumNumber(json, field);
  if (!number) return false;
  SetEnumField(*number, field, message);
  return true;
}

bool ReadAny(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return ReadBool(json, field, message);
    case FieldDescriptor::CPPTYPE_INT32:
      return Put(Whole(json, ParseInt32), field, message);
    case FieldDescriptor::CPPTYPE_INT64:
      return Put(Whole(json, ParseInt64), field, message);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Put(Whole(json, ParseUint32), field, message);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Put(Whole(json, ParseUint64), field, message);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Put(Real(json, ParseFloat), field, message);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Put(Real(json, ParseDouble), field, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return ReadText(json, field, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ReadEnum(json, field, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return false;
  }
  return false;
}

}  // namespace

bool IsUnknownEnumName(const JsonValue& json, const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && json.kind == Kind::kString &&
         field.enum_type()->FindValueByName(json.text) == nullptr;
}

absl::Status ReadJsonScalar(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (ReadAny(json, field, message)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field.json_name(), ": not a value of type ", field.type_name()));
}

std::optional<std::string> SetMapKey(const std::string& text, const FieldDescriptor& field,
                                     Message& entry) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      SetField(text, field, entry);
      return text;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return std::nullopt;
      SetField(text == "true", field, entry);
      return text;
    default:
      return SetScalarText(text, field, entry);
  }
}

}  // namespace krypton::transcode
