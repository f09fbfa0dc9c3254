#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/transcode/json_value.h"

namespace google::protobuf {
class Any;
class Descriptor;
class Message;
}  // namespace google::protobuf

// The types whose JSON is their own: Any, Timestamp, Duration, FieldMask, Struct, Value, ListValue,
// Empty and the wrappers. Part of json_reader.h and json_printer.h.
namespace krypton::transcode {

bool IsWellKnown(const google::protobuf::Descriptor& type);

// Requires: IsWellKnown.
absl::Status ReadWellKnown(const JsonValue& json, google::protobuf::Message& message);
absl::Status AppendWellKnown(const google::protobuf::Message& message, std::string& out);

// The message in an Any, of a type that is linked in.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> NewMessageOf(absl::string_view type_url);

// An object as the fields of an ordinary message; the key `skip` is left out. In json_reader.cc.
absl::Status ReadJsonFields(const JsonValue& json, google::protobuf::Message& message,
                            absl::string_view skip = {});

}  // namespace krypton::transcode
