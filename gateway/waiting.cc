#include "gateway/waiting.h"

#include <algorithm>

#include "common/config/duration.h"
#include "common/http/workers.h"

namespace krypton::gateway {
namespace {

using http::Error;
using http::ErrorCode;

Error CancelError() {
  // A client that is gone hears nothing of it.
  return {.code = ErrorCode::kShuttingDown, .message = "the gateway is shutting down"};
}

Error PlaceError(Place place, v1::ResourceKind kind) {
  if (place == Place::kQueueFull) {
    return {.code = ErrorCode::kQueueFull, .message = "too many calls wait for a replica already"};
  }
  if (kind == v1::RESOURCE_KIND_MODEL) {
    return {.code = ErrorCode::kModelNotFound, .message = "the model was deleted"};
  }
  return {.code = ErrorCode::kAgentNotFound, .message = "the agent was deleted"};
}

}  // namespace

Waiting::Waiting(http::Exchange& exchange, Dispatcher& dispatcher, const CallPolicy& policy)
    : exchange_(exchange),
      dispatcher_(dispatcher),
      startup_timeout_(policy.startup_timeout),
      deadline_(http::Clock::now() + policy.startup_timeout + policy.timeout),
      event_(exchange.worker()),
      target_(std::make_shared<Target>(Target{exchange.worker(), &event_})) {}

Waiting::~Waiting() { target_->event = nullptr; }

Wake Waiting::MakeWake() const {
  return [target = target_] {
    target->worker.Post([target] {
      if (target->event != nullptr) target->event->Set();
    });
  };
}

http::Task<std::optional<Error>> Waiting::Wait(Ticket& ticket, Place place) {
  const TimePoint start_deadline = http::Clock::now() + startup_timeout_;
  while (place == Place::kQueued) {
    TimePoint now = http::Clock::now();
    const bool may_still_start = now < start_deadline;
    TimePoint until = std::min(deadline_, dispatcher_.RetryAt(now));
    if (may_still_start) until = std::min(until, start_deadline);
    const http::WaitResult result = co_await exchange_.WaitFor(event_, until);
    if (result == http::WaitResult::kCancelled) co_return CancelError();
    now = http::Clock::now();
    place = dispatcher_.Check(ticket, now);
    if (place != Place::kQueued) break;
    if (now >= start_deadline && !dispatcher_.HasReadyEndpoint()) {
      co_return Error{.code = ErrorCode::kStartTimeout,
                      .message = "no replica came up within spec.startupTimeout, which is " +
                                 config::FormatDuration(startup_timeout_)};
    }
    if (now >= deadline_) {
      co_return Error{.code = ErrorCode::kAgentTimeout,
                      .message = "no replica was free within spec.startupTimeout and spec.timeout"};
    }
  }
  if (place != Place::kGranted) co_return PlaceError(place, dispatcher_.key().kind());
  co_return std::nullopt;
}

}  // namespace krypton::gateway
