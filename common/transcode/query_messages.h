#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/transcode/json_value.h"

namespace google::protobuf {
class Message;
}

// The messages that one text in a query or a path can set. Part of query.h.
namespace krypton::transcode {

// Timestamp RFC 3339, Duration as Go writes it, wrappers bare, FieldMask as a comma list, Value and
// Struct as JSON; other messages are INVALID_ARGUMENT.
absl::Status ReadQueryMessage(const std::string& text, const JsonLimits& limits,
                              google::protobuf::Message& message);

// In a path, Timestamp and Duration are as in JSON; the rest as in a query.
absl::Status ReadPathMessage(const std::string& text, google::protobuf::Message& message);

}  // namespace krypton::transcode
