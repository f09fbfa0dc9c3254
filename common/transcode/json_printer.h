#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

// Message → proto3 JSON with every field that is not part of a oneof printed: an unset message or
// wrapper as null (grpc-gateway's EmitUnpopulated; json_util has no such mode). What JSON cannot
// say (an Any of an unknown type, a Timestamp out of range) is INVALID_ARGUMENT.
namespace krypton::transcode {

absl::StatusOr<std::string> PrintJson(const google::protobuf::Message& message);

absl::Status AppendJsonMessage(const google::protobuf::Message& message, std::string& out);

// The value of one field, list or map, set or not.
absl::Status AppendJsonField(const google::protobuf::Message& message,
                             const google::protobuf::FieldDescriptor& field, std::string& out);

// `"a":1,"b":2`, with a comma before it unless `first`.
absl::Status AppendJsonFields(const google::protobuf::Message& message, bool first,
                              std::string& out);

}  // namespace krypton::transcode
