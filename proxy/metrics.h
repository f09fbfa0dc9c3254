// The series of one sidecar (design.md §4), all of one agent. What counts up is counted here, by
// any thread; what is a number of the moment is read from the Limiter and the Replica at each
// scrape.
#pragma once

#include <prometheus/counter.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "common/load/reporter.h"
#include "common/metrics/family.h"
#include "common/metrics/registry.h"
#include "proxy/limiter.h"
#include "proxy/replica.h"

namespace krypton::proxy {

class Metrics {
 public:
  struct Labels {
    std::string agent;
    std::string agent_namespace;
  };

  Metrics(metrics::Registry& registry, Labels labels);

  // Adds krypton_proxy_inflight and its like; the three must live as long as the registry is read.
  void Observe(const Limiter& limiter, const Replica& replica, const load::Reporter& reporter);

  // One request ended with `status`, as the caller saw it; 499 when the caller had gone before.
  void CountRequest(int status);
  void CountRejected(Refusal reason);

 private:
  static constexpr int kMaxStatus = 1000;  // RFC 9110 §15: three digits.

  metrics::Registry& registry_;
  const metrics::Labels labels_;
  const std::shared_ptr<metrics::CounterFamily> requests_;
  // A series is made at its first use and kept; `known_` finds it without a lock.
  std::array<std::atomic<prometheus::Counter*>, kMaxStatus> known_{};
  std::array<std::shared_ptr<prometheus::Counter>, 2> rejected_;
};

}  // namespace krypton::proxy
