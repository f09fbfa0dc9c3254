#include "gateway/verdict.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace krypton::gateway {
namespace {

constexpr std::string_view kPseudonym = "krypton";

Verdict Again(Setback setback) { return {.again = setback, .error = std::nullopt}; }

Verdict Fail(http::ErrorCode code, const char* message) {
  return {.again = std::nullopt, .error = http::Error{.code = code, .message = message}};
}

// "1.1 krypton", and whatever comment follows.
bool IsOurs(std::string_view element) {
  const size_t start = element.find_first_not_of(" \t");
  if (start == element.npos) return false;
  element.remove_prefix(start);
  const size_t space = std::min(element.find_first_of(" \t"), element.size());
  std::string_view by = element.substr(space);
  by.remove_prefix(std::min(by.find_first_not_of(" \t"), by.size()));
  return by.substr(0, by.find_first_of(" \t")) == kPseudonym;
}

}  // namespace

std::optional<Setback> RefusalOf(const http::ResponseHead& head) {
  if (head.status != 503) return std::nullopt;
  const std::string_view code = head.fields.Get("krypton-error");
  if (code == http::CodeName(http::ErrorCode::kOverCapacity)) return Setback::kOverCapacity;
  if (code == http::CodeName(http::ErrorCode::kShuttingDown)) return Setback::kLeaving;
  return std::nullopt;
}

Verdict Judge(const http::ForwardResult& result, std::optional<Setback> refusal, bool broke_before,
              const http::RequestHead& request) {
  switch (result.end) {
    case http::ForwardEnd::kAnswered:
    case http::ForwardEnd::kAborted:
    case http::ForwardEnd::kClientGone:
    case http::ForwardEnd::kDetached:
      return {};
    case http::ForwardEnd::kRefused:
      if (result.replayable) return Again(refusal.value_or(Setback::kOverCapacity));
      return Fail(http::ErrorCode::kOverCapacity,
                  "the replica has no room, and too much of the body was sent to send it again");
    case http::ForwardEnd::kConnectFailed:
      if (result.replayable) return Again(Setback::kUnreachable);
      return Fail(http::ErrorCode::kAgentUnreachable, "no connection to the replica");
    case http::ForwardEnd::kBroke:
      if (!broke_before && result.MayRetry(request)) return Again(Setback::kBroke);
      return Fail(http::ErrorCode::kAgentUnreachable,
                  "the replica broke the connection before an answer");
    case http::ForwardEnd::kTimedOut:
      return Fail(http::ErrorCode::kAgentTimeout, "no answer within spec.timeout");
    case http::ForwardEnd::kShutDown:
      return Fail(http::ErrorCode::kShuttingDown, "the gateway is shutting down");
    case http::ForwardEnd::kBadRequestBody:
      break;
  }
  return Fail(http::ErrorCode::kBadRequest, "the request's body is broken");
}

RetryReason ReasonOf(Setback setback) {
  switch (setback) {
    case Setback::kOverCapacity:
      return RetryReason::kOverCapacity;
    case Setback::kLeaving:
      return RetryReason::kShuttingDown;
    case Setback::kUnreachable:
      return RetryReason::kUnreachable;
    case Setback::kBroke:
      break;
  }
  return RetryReason::kBroke;
}

int GatewaysPassed(const http::Fields& request) {
  int passed = 0;
  for (const http::Field& field : request) {
    if (field.name.size() != 3 || !http::EqualsIgnoreCase(field.name, "via")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const size_t comma = std::min(list.find(','), list.size());
      passed += IsOurs(list.substr(0, comma)) ? 1 : 0;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return passed;
}

std::string ServerTiming(const std::optional<StartStages>& stages, double queue_seconds,
                         double first_byte_seconds) {
  std::string text;
  if (stages) {
    absl::StrAppendFormat(&text, "decide;dur=%.1f, start;dur=%.1f, ready;dur=%.1f, ",
                          stages->decide * 1e3, stages->start * 1e3, stages->ready * 1e3);
  }
  absl::StrAppendFormat(&text, "queue;dur=%.1f, first_byte;dur=%.1f", queue_seconds * 1e3,
                        first_byte_seconds * 1e3);
  return text;
}

}  // namespace krypton::gateway
