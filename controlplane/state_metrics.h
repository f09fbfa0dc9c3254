// What the control plane is in the middle of, read at each scrape: how its registry stands, and the
// streams that are open. Any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "common/registry/client.h"
#include "controlplane/streams.h"

namespace krypton::controlplane {

class StateMetrics : public prometheus::Collectable {
 public:
  // Both outlive the last scrape.
  StateMetrics(const registry::Client& registry, const Streams& streams)
      : registry_(registry), streams_(streams) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const registry::Client& registry_;
  const Streams& streams_;
};

}  // namespace krypton::controlplane
