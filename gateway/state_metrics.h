// Gauges that are read when somebody scrapes: what waits and runs per agent, and how the gateway
// stands with the manager. Any thread.
#pragma once

#include <prometheus/collectable.h>

#include <vector>

#include "common/registry/client.h"
#include "gateway/route_table.h"

namespace krypton::gateway {

class StateMetrics : public prometheus::Collectable {
 public:
  // Both must outlive the collection.
  StateMetrics(const RouteTable& routes, const registry::Client& registry)
      : routes_(routes), registry_(registry) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  void CollectAgents(std::vector<prometheus::MetricFamily>& families) const;
  void CollectRegistry(std::vector<prometheus::MetricFamily>& families) const;

  const RouteTable& routes_;
  const registry::Client& registry_;
};

}  // namespace krypton::gateway
