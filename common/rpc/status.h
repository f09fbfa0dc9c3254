// Errors across a gRPC call: absl::Status inside, grpc::Status at the edge, with the details that
// conventions demand (AIP-193: exactly one google.rpc.ErrorInfo, domain "krypton.ai").
//
//   return rpc::ToGrpc(rpc::Error(absl::StatusCode::kNotFound, "AGENT_NOT_FOUND",
//                                 "agent \"default/echo\" does not exist", {{"agent",
//                                 "default/echo"}}));
//
// Details ride on an absl::Status as payloads, whose key is their type URL. Pure; any thread.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}

namespace krypton::rpc {

// A status with ErrorInfo. `reason` is UPPER_SNAKE_CASE; `metadata` keys are lowerCamelCase and
// repeat what varies in the message. Requires: `code` is not kOk.
absl::Status Error(absl::StatusCode code, std::string reason, std::string message,
                   std::map<std::string, std::string> metadata = {});
// kInvalidArgument, reason INVALID_FIELD, with google.rpc.BadRequest naming `field`.
absl::Status InvalidField(std::string field, std::string message);

// Adds one more detail (google.rpc.RetryInfo, ...), at most one of each type.
void AddDetail(absl::Status& status, const google::protobuf::Message& detail);
// The reason of the ErrorInfo, or empty.
std::string Reason(const absl::Status& status);
// Fills `detail` from the payload of its type. False when there is none.
bool GetDetail(const absl::Status& status, google::protobuf::Message& detail);

// Payloads become grpc-status-details-bin and back. An error without ErrorInfo gets one, whose
// reason is the code's name. A message above 1 KiB is cut (trailers stay below 8 KiB).
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace krypton::rpc
