#include "common/transcode/field_setter.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/strings/str_cat.h"
#include "common/config/utf8.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Picks the setter or the adder.
template <typename Value, typename Set, typename Add>
void SetOrAdd(const Value& value, const FieldDescriptor& field, Message& message, Set set,
              Add add) {
  const Reflection* reflection = message.GetReflection();
  if (field.is_repeated()) {
    (reflection->*add)(&message, &field, value);
  } else {
    (reflection->*set)(&message, &field, value);
  }
}

template <typename T>
std::optional<std::string> SetParsed(const std::optional<T>& value, const FieldDescriptor& field,
                                     Message& message) {
  if (!value) return std::nullopt;
  SetField(*value, field, message);
  return absl::StrCat(*value);
}

std::optional<std::string> SetEnumText(const std::string& text, const FieldDescriptor& field,
                                       Message& message) {
  const EnumValueDescriptor* value = field.enum_type()->FindValueByName(text);
  if (value == nullptr) {
    const std::optional<int32_t> number = ParseInt32(text);
    if (number) value = field.enum_type()->FindValueByNumber(*number);
  }
  if (value == nullptr) return std::nullopt;
  SetEnumField(value->number(), field, message);
  return value->name();
}

std::optional<std::string> SetStringText(const std::string& text, const FieldDescriptor& field,
                                         Message& message) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return SetParsed(DecodeBase64(text), field, message);
  }
  // A server would call it an internal error.
  if (config::FindInvalidUtf8(text) != std::string_view::npos) return std::nullopt;
  SetField(text, field, message);
  return text;
}

}  // namespace

void SetField(bool value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetBool, &Reflection::AddBool);
}
void SetField(int32_t value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetInt32, &Reflection::AddInt32);
}
void SetField(int64_t value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetInt64, &Reflection::AddInt64);
}
void SetField(uint32_t value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetUInt32, &Reflection::AddUInt32);
}
void SetField(uint64_t value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetUInt64, &Reflection::AddUInt64);
}
void SetField(float value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetFloat, &Reflection::AddFloat);
}
void SetField(double value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetDouble, &Reflection::AddDouble);
}
void SetField(const std::string& value, const FieldDescriptor& field, Message& message) {
  SetOrAdd(value, field, message, &Reflection::SetString, &Reflection::AddString);
}
void SetEnumField(int number, const FieldDescriptor& field, Message& message) {
  SetOrAdd(number, field, message, &Reflection::SetEnumValue, &Reflection::AddEnumValue);
}

std::optional<std::string> SetScalarText(const std::string& text, const FieldDescriptor& field,
                                         Message& message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetParsed(ParseBool(text), field, message);
    case FieldDescriptor::CPPTYPE_INT32:
      return SetParsed(ParseInt32(text), field, message);
    case FieldDescriptor::CPPTYPE_INT64:
      return SetParsed(ParseInt64(text), field, message);
    case FieldDescriptor::CPPTYPE_UINT32:
      return SetParsed(ParseUint32(text), field, message);
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetParsed(ParseUint64(text), field, message);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return SetParsed(ParseFloat(text), field, message);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetParsed(ParseDouble(text), field, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetStringText(text, field, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnumText(text, field, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace krypton::transcode
