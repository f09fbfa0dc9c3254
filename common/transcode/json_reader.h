#pragma once

#include "absl/status/status.h"
#include "common/transcode/json_value.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

// Proto3 JSON → message, as strictly as Go's protojson with DiscardUnknown: unknown fields and
// unknown enum names are skipped; a doubled field, two members of a oneof, a wrong type are errors
// (protobuf.dev/programming-guides/json). Messages are those of the generated pool.
namespace krypton::transcode {

// Sets in `message` what `json` says; what it does not name stays. INVALID_ARGUMENT names the
// field.
absl::Status ReadJsonMessage(const JsonValue& json, google::protobuf::Message& message);

// The same for one field, list or map of `message`; null leaves it.
absl::Status ReadJsonField(const JsonValue& json, const google::protobuf::FieldDescriptor& field,
                           google::protobuf::Message& message);

}  // namespace krypton::transcode
