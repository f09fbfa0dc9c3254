#include "manager/platform/kubernetes/client/api_status.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/utf8.h"
#include "manager/platform/kubernetes/client/json.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

constexpr char kCode[] = "krypton.ai/kubernetes-code";
constexpr char kReason[] = "krypton.ai/kubernetes-reason";
constexpr char kRetryAfter[] = "krypton.ai/kubernetes-retry-after-ms";
constexpr size_t kMaxMessage = 1024;

absl::StatusCode CodeOf(const ApiError& error) {
  switch (error.code) {
    case 400:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return error.reason == "AlreadyExists" ? absl::StatusCode::kAlreadyExists
                                             : absl::StatusCode::kAborted;
    case 410:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    case 500:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kUnknown;
  }
}

std::string Payload(const absl::Status& status, const char* key) {
  const auto payload = status.GetPayload(key);
  return payload.has_value() ? std::string(*payload) : "";
}

}  // namespace

absl::Status ToStatus(const ApiError& error, std::string_view context) {
  absl::Status status(
      CodeOf(error),
      absl::StrCat(std::string(context), ": ",
                   error.message.empty() ? absl::StrCat("HTTP ", error.code) : error.message));
  status.SetPayload(kCode, absl::Cord(absl::StrCat(error.code)));
  if (!error.reason.empty()) status.SetPayload(kReason, absl::Cord(error.reason));
  if (error.retry_after.has_value()) {
    status.SetPayload(kRetryAfter, absl::Cord(absl::StrCat(error.retry_after->count())));
  }
  return status;
}

ApiError ParseApiError(int http_code, std::string_view body) {
  const auto parsed = ParseJson(body);
  if (parsed.ok() && parsed->is_object() && StringAt(parsed->get_object(), "kind") == "Status") {
    ApiError error = ParseApiError(parsed->get_object());
    error.code = http_code;
    return error;
  }
  return {.code = http_code,
          .reason = {},
          .message = config::ToUtf8(std::string(body.substr(0, kMaxMessage))),
          .retry_after = {}};
}

ApiError ParseApiError(const json::object& status) {
  ApiError error;
  error.code = static_cast<int>(IntAt(status, "code"));
  error.reason = std::string(StringAt(status, "reason"));
  error.message = config::CutUtf8(std::string(StringAt(status, "message")), kMaxMessage);
  const json::object* details = ObjectAt(status, "details");
  const int64_t seconds = details == nullptr ? 0 : IntAt(*details, "retryAfterSeconds");
  if (seconds > 0) error.retry_after = std::chrono::seconds(seconds);
  return error;
}

int HttpCode(const absl::Status& status) {
  int code = 0;
  return absl::SimpleAtoi(Payload(status, kCode), &code) ? code : 0;
}

std::string Reason(const absl::Status& status) { return Payload(status, kReason); }

std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status) {
  int64_t milliseconds = 0;
  if (!absl::SimpleAtoi(Payload(status, kRetryAfter), &milliseconds)) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

bool IsConflict(const absl::Status& status) {
  return HttpCode(status) == 409 && Reason(status) != "AlreadyExists";
}

bool IsNamespaceTerminating(const absl::Status& status) {
  return HttpCode(status) == 403 &&
         absl::string_view(status.message()).find("because it is being terminated") !=
             absl::string_view::npos;
}

}  // namespace krypton::kube
