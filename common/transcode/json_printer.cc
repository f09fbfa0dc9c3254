#include "common/transcode/json_printer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/strings/str_cat.h"
#include "common/transcode/json_well_known.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void AppendEnum(int number, const FieldDescriptor& field, std::string& out) {
  if (field.enum_type()->full_name() == "google.protobuf.NullValue") {
    out += "null";
    return;
  }
  const auto* value = field.enum_type()->FindValueByNumber(number);
  if (value == nullptr) {
    absl::StrAppend(&out, number);
  } else {
    AppendJsonString(value->name(), out);
  }
}

void AppendString(const std::string& text, const FieldDescriptor& field, std::string& out) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    AppendJsonString(EncodeBase64(text), out);
  } else {
    AppendJsonString(text, out);
  }
}

// One value: of a singular field, or (`index` >= 0) of a list. 64-bit integers are strings, since
// JavaScript's numbers cannot hold them.
absl::Status AppendOne(const Message& message, const FieldDescriptor& field, int index,
                       std::string& out) {
  const Reflection& r = *message.GetReflection();
  const FieldDescriptor* f = &field;
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out +=
          (one ? r.GetBool(message, f) : r.GetRepeatedBool(message, f, index)) ? "true" : "false";
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(&out, one ? r.GetInt32(message, f) : r.GetRepeatedInt32(message, f, index));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(&out, one ? r.GetUInt32(message, f) : r.GetRepeatedUInt32(message, f, index));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(&out, "\"",
                      one ? r.GetInt64(message, f) : r.GetRepeatedInt64(message, f, index), "\"");
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(&out, "\"",
                      one ? r.GetUInt64(message, f) : r.GetRepeatedUInt64(message, f, index), "\"");
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      out += FormatFloat(one ? r.GetFloat(message, f) : r.GetRepeatedFloat(message, f, index));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out += FormatDouble(one ? r.GetDouble(message, f) : r.GetRepeatedDouble(message, f, index));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      AppendEnum(one ? r.GetEnumValue(message, f) : r.GetRepeatedEnumValue(message, f, index),
                 field, out);
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      AppendString(one ? r.GetString(message, f) : r.GetRepeatedString(message, f, index), field,
                   out);
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendJsonMessage(
          one ? r.GetMessage(message, f) : r.GetRepeatedMessage(message, f, index), out);
  }
  return absl::OkStatus();
}

absl::Status AppendList(const Message& message, const FieldDescriptor& field, std::string& out) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  out += '[';
  for (int i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    absl::Status status = AppendOne(message, field, i, out);
    if (!status.ok()) return status;
  }
  out += ']';
  return absl::OkStatus();
}

// JSON's keys are strings, whatever the map's are.
absl::Status AppendMapKey(const Message& entry, std::string& out) {
  const FieldDescriptor& key = *entry.GetDescriptor()->map_key();
  std::string text;
  absl::Status status = AppendOne(entry, key, -1, text);
  if (!text.empty() && text[0] == '"') {
    out += text;
  } else {
    AppendJsonString(text, out);
  }
  return status;
}

absl::Status AppendMap(const Message& message, const FieldDescriptor& field, std::string& out) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  out += '{';
  for (int i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    absl::Status status = AppendMapKey(entry, out);
    if (!status.ok()) return status;
    out += ':';
    status = AppendOne(entry, *entry.GetDescriptor()->map_value(), -1, out);
    if (!status.ok()) return status;
  }
  out += '}';
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendJsonField(const Message& message, const FieldDescriptor& field,
                             std::string& out) {
  if (field.is_map()) return AppendMap(message, field, out);
  if (field.is_repeated()) return AppendList(message, field, out);
  return AppendOne(message, field, -1, out);
}

absl::Status AppendJsonFields(const Message& message, bool first, std::string& out) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool unset = field.has_presence() && !message.GetReflection()->HasField(message, &field);
    if (unset && field.containing_oneof() != nullptr) continue;  // proto3 `optional` is one too.
    if (!first) out += ',';
    first = false;
    AppendJsonString(field.json_name(), out);
    out += ':';
    if (unset) {
      out += "null";
      continue;
    }
    absl::Status status = AppendJsonField(message, field, out);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status AppendJsonMessage(const Message& message, std::string& out) {
  if (IsWellKnown(*message.GetDescriptor())) return AppendWellKnown(message, out);
  out += '{';
  absl::Status status = AppendJsonFields(message, /*first=*/true, out);
  out += '}';
  return status;
}

absl::StatusOr<std::string> PrintJson(const Message& message) {
  std::string out;
  absl::Status status = AppendJsonMessage(message, out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace krypton::transcode
