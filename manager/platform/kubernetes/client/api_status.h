// What the API server says when it refuses, as an absl::Status that keeps Kubernetes' own words:
// the HTTP code, the reason ("Conflict", "AlreadyExists", "Expired", ...) and the message.
//
// The absl code: 400, 422 INVALID_ARGUMENT · 401 UNAUTHENTICATED · 403 PERMISSION_DENIED · 404
// NOT_FOUND · 409 ALREADY_EXISTS or ABORTED (Conflict) · 410 OUT_OF_RANGE · 429 RESOURCE_EXHAUSTED
// · 500 INTERNAL · 503 and broken connections UNAVAILABLE · 504 and no answer DEADLINE_EXCEEDED. A
// status without an HTTP code did not come from the server. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "boost/json/fwd.hpp"

namespace krypton::kube {

struct ApiError {
  int code = 0;  // HTTP's
  std::string reason;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;
};

// `context` says what was being done: `apply deployments.apps "default/echo"`.
absl::Status ToStatus(const ApiError& error, std::string_view context);
// Reads a metav1.Status; a body that is none becomes the message, cut to 1 KiB.
ApiError ParseApiError(int http_code, std::string_view body);
ApiError ParseApiError(const boost::json::object& status);

// 0 and "" when the status did not come from the API server.
int HttpCode(const absl::Status& status);
std::string Reason(const absl::Status& status);
std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status);

// For 404 and one kind of 409, absl::IsNotFound and absl::IsAlreadyExists serve.
// The object has changed since it was read, or another field manager owns a field.
bool IsConflict(const absl::Status& status);
// The resource version, or the `continue` token, is too old: list again.
inline bool IsGone(const absl::Status& status) { return HttpCode(status) == 410; }
inline bool IsInvalid(const absl::Status& status) { return HttpCode(status) == 422; }
// The namespace is being deleted: nothing new can be made in it.
bool IsNamespaceTerminating(const absl::Status& status);

}  // namespace krypton::kube
