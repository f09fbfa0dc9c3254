// Traffic takes each request through the sidecar in four steps: admit it (or refuse it, or park it
// when the caller asks by `krypton-wait`), send it to the agent untouched, find out whether it is a
// stream, and say how loaded the replica is (`krypton-load`) on the answer.
//
// `Handle` runs on the workers of the HTTP server; what it shares is thread-safe. It borrows all
// that it is made of.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/client.h"
#include "common/http/exchange.h"
#include "common/http/forward.h"
#include "common/http/task.h"
#include "proxy/limiter.h"
#include "proxy/metrics.h"
#include "proxy/replica.h"

namespace krypton::proxy {

// The value of krypton-wait: milliseconds. Nothing when there is none, or it is no number.
std::optional<std::chrono::milliseconds> ParseWait(std::string_view value);
// The value of krypton-load: "inflight=3, concurrency=8, parked=0".
std::string FormatLoad(const Limiter::Load& load, int concurrency);

class Traffic {
 public:
  struct Settings {
    std::chrono::milliseconds timeout{60'000};   // design.md §4, Agent: until the agent's answer.
    std::chrono::milliseconds max_wait{60'000};  // At most, whatever krypton-wait says.
  };

  // `suspect` is called when the agent refuses a connection.
  Traffic(http::Client& client, http::Endpoint agent, Settings settings, Limiter& limiter,
          Replica& replica, Metrics& metrics, std::function<void()> suspect);

  http::Task<void> Handle(http::Exchange& exchange);

 private:
  struct Admission {
    Limiter::Slot slot;
    std::optional<Refusal> refusal;  // Neither: the caller has gone.
  };

  http::Task<Admission> Admit(http::Exchange& exchange);
  http::Task<Admission> Park(http::Exchange& exchange, std::chrono::milliseconds wait);
  http::ForwardPlan Plan(http::Exchange& exchange, Limiter::Slot& slot);
  http::Task<void> Refuse(http::Exchange& exchange, Refusal refusal, std::string_view message);
  http::Task<void> AnswerFor(http::Exchange& exchange, http::ForwardResult result);
  void AddLoad(http::Exchange& exchange);

  http::Client& client_;
  const http::Endpoint agent_;
  const Settings settings_;
  Limiter& limiter_;
  Replica& replica_;
  Metrics& metrics_;
  const std::function<void()> suspect_;
};

}  // namespace krypton::proxy
