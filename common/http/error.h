// The errors that the mesh itself makes (design.md §4): code, status and body in one table, so that
// gateway, sidecar and the front answer alike. Pure values, any thread.
#pragma once

#include <string>
#include <string_view>

namespace krypton::http {

enum class ErrorCode {
  kBadRequest,
  kAgentNotFound,
  kModelNotFound,
  kBodyTooLarge,
  kHeadersTooLarge,
  kRequestTimeout,
  kQueueFull,
  kOverCapacity,
  kShuttingDown,
  kStartTimeout,
  kLoopDetected,
  kAgentTimeout,
  kAgentUnreachable,
};

// The value of the header krypton-error: "agent_not_found".
std::string_view CodeName(ErrorCode code);
// The HTTP status of the table.
int StatusOf(ErrorCode code);
// What the error object's "type" says: "invalid_request_error" for 4xx, "server_error" otherwise.
std::string_view ErrorType(ErrorCode code);

// An error before it is answered. `status` 0 means the table's; a more precise one of the same
// class is allowed (414, 501, 505 for kBadRequest).
struct Error {
  ErrorCode code = ErrorCode::kBadRequest;
  std::string message;
  int status = 0;
  std::string param;            // JSON null when empty.
  int retry_after_seconds = 1;  // Sent with 503 only.

  int Status() const { return status != 0 ? status : StatusOf(code); }
};

// {"error":{"code":...,"message":...,"type":...,"param":...}}
std::string ErrorBody(const Error& error);

// The reason phrase of a status line; "Unknown" for what has none.
std::string_view ReasonPhrase(int status);

}  // namespace krypton::http
