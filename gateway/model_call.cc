#include "gateway/model_call.h"

#include <chrono>

#include "absl/strings/str_cat.h"

namespace krypton::gateway {
namespace {

double SecondsSince(http::TimePoint from) {
  return std::chrono::duration<double>(http::Clock::now() - from).count();
}

}  // namespace

std::optional<bool> MayAskAgain(const http::Error& error, bool delivered) {
  const int status = error.Status();
  // OpenAI's SDKs repeat 408, 409, 429 and all from 500 on.
  if (status < 500 && status != 408) return std::nullopt;
  return !delivered && error.code != http::ErrorCode::kLoopDetected;
}

void ModelCall::Prepare(http::ForwardPlan& plan) {
  // Usage is read from the answer, and a stream that breaks ends with an event: both need it plain.
  plan.set_fields.push_back({"accept-encoding", "identity"});
}

void ModelCall::AddRetryFields(const http::Error& error, bool delivered) {
  const std::optional<bool> again = MayAskAgain(error, delivered);
  if (!again) return;
  exchange_.AddResponseHeader("x-should-retry", *again ? "true" : "false");
  if (error.Status() != 503) return;
  exchange_.AddResponseHeader("retry-after-ms", absl::StrCat(error.retry_after_seconds * 1000));
}

void ModelCall::Count(int status) const {
  model_.metrics->CountInvocation(status);
  model_.metrics->ObserveDuration(
      SecondsSince(exchange_.started()),
      metrics::SampledTrace(exchange_.request().fields.Get("traceparent")));
}

}  // namespace krypton::gateway
