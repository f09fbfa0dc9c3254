#include "common/transcode/json_reader.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_scalars.h"
#include "common/transcode/json_well_known.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using Kind = JsonValue::Kind;

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return type.FindFieldByName(name);
}

bool TakesNull(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return field.enum_type()->full_name() == "google.protobuf.NullValue";
  }
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "google.protobuf.Value";
}

absl::Status ReadList(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (json.kind != Kind::kArray) {
    return absl::InvalidArgumentError(absl::StrCat(field.json_name(), ": not a list"));
  }
  for (const JsonValue& item : json.items) {
    absl::Status status =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
            ? ReadJsonMessage(item, *message.GetReflection()->AddMessage(&message, &field))
            : ReadJsonScalar(item, field, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// A map is a list of entries with a key (field 1) and a value (field 2).
absl::Status ReadMap(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (json.kind != Kind::kObject) {
    return absl::InvalidArgumentError(absl::StrCat(field.json_name(), ": not an object"));
  }
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  std::set<std::string> seen;
  for (size_t i = 0; i < json.items.size(); ++i) {
    Message* entry = message.GetReflection()->AddMessage(&message, &field);
    const std::optional<std::string> key = SetMapKey(json.keys[i], key_field, *entry);
    if (!key || !seen.insert(*key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(field.json_name(), ": ", key ? "doubled" : "wrong", " key"));
    }
    if (value_field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      absl::Status status = ReadJsonMessage(
          json.items[i], *entry->GetReflection()->MutableMessage(entry, &value_field));
      if (!status.ok()) return status;
      continue;
    }
    if (IsUnknownEnumName(json.items[i], value_field)) {
      message.GetReflection()->RemoveLast(&message, &field);
      continue;
    }
    absl::Status status = ReadJsonScalar(json.items[i], value_field, *entry);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadSingular(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadJsonScalar(json, field, message);
  }
  const Reflection& reflection = *message.GetReflection();
  reflection.ClearField(&message, &field);
  return ReadJsonMessage(json, *reflection.MutableMessage(&message, &field));
}

}  // namespace

absl::Status ReadJsonField(const JsonValue& json, const FieldDescriptor& field, Message& message) {
  if (json.kind == Kind::kNull && !TakesNull(field)) return absl::OkStatus();
  if (field.is_map()) return ReadMap(json, field, message);
  if (field.is_repeated()) return ReadList(json, field, message);
  return ReadSingular(json, field, message);
}

absl::Status ReadJsonMessage(const JsonValue& json, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  if (IsWellKnown(type)) return ReadWellKnown(json, message);
  return ReadJsonFields(json, message);
}

absl::Status ReadJsonFields(const JsonValue& json, Message& message, absl::string_view skip) {
  const Descriptor& type = *message.GetDescriptor();
  if (json.kind != Kind::kObject) {
    return absl::InvalidArgumentError(absl::StrCat(type.name(), ": not an object"));
  }
  std::set<const FieldDescriptor*> seen;
  std::set<const OneofDescriptor*> seen_oneofs;
  for (size_t i = 0; i < json.items.size(); ++i) {
    if (!skip.empty() && json.keys[i] == skip) continue;
    const FieldDescriptor* field = FindField(type, json.keys[i]);
    if (field == nullptr) continue;
    if (!seen.insert(field).second) {
      return absl::InvalidArgumentError(absl::StrCat("doubled field: ", field->json_name()));
    }
    const bool is_null = json.items[i].kind == Kind::kNull && !TakesNull(*field);
    const OneofDescriptor* oneof = field->containing_oneof();
    if (oneof != nullptr && !is_null && !seen_oneofs.insert(oneof).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two members of one oneof: ", field->json_name()));
    }
    absl::Status status = ReadJsonField(json.items[i], *field, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace krypton::transcode
