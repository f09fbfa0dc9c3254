// What follows from how an attempt at a replica ended: the retry rules of conventions.md §5 and
// design.md §5 "Balancing". Pure.
#pragma once

#include <optional>
#include <string_view>

#include "common/http/forward.h"
#include "gateway/dispatcher.h"
#include "gateway/metrics.h"

namespace krypton::gateway {

// The sidecar's own "no": an answer that reaches no client as long as the request can be sent
// again.
std::optional<Setback> RefusalOf(const http::ResponseHead& head);

struct Verdict {
  // Go back to the queue's front for this reason; nullopt: not again.
  std::optional<Setback> again;
  // Answer this; nullopt: the client has its answer, or is gone.
  std::optional<http::Error> error;

  bool done() const { return !again && !error; }
};

// `refusal` is what on_head made of the answer, `broke_before` whether an earlier attempt ended in
// a broken connection: a second one is not followed by a third.
Verdict Judge(const http::ForwardResult& result, std::optional<Setback> refusal, bool broke_before,
              const http::RequestHead& request);

RetryReason ReasonOf(Setback setback);

// How many gateways the request has passed, by its Via fields (RFC 9110 §7.6.3).
int GatewaysPassed(const http::Fields& request);

// "decide;dur=1.2, start;dur=30.0, ready;dur=12.5, queue;dur=44.1, first_byte;dur=3.0",
// milliseconds (Server-Timing). Without stages: a call that only waited for a free replica.
std::string ServerTiming(const std::optional<StartStages>& stages, double queue_seconds,
                         double first_byte_seconds);

}  // namespace krypton::gateway
