#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/transcode/json_value.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

// One scalar of proto3 JSON (numbers, bool, string, bytes, enum) → a field. Part of json_reader.h.
namespace krypton::transcode {

// Sets a singular field, appends to a repeated one. An unknown enum name is skipped.
absl::Status ReadJsonScalar(const JsonValue& json, const google::protobuf::FieldDescriptor& field,
                            google::protobuf::Message& message);

// Sets the key of a map's entry; returns its normal text, nullopt for what is no such key.
std::optional<std::string> SetMapKey(const std::string& text,
                                     const google::protobuf::FieldDescriptor& field,
                                     google::protobuf::Message& entry);

bool IsUnknownEnumName(const JsonValue& json, const google::protobuf::FieldDescriptor& field);

}  // namespace krypton::transcode
