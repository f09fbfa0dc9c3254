#include "controlplane/state_metrics.h"

#include "common/metrics/gauge.h"
#include "common/registry/state_metrics.h"

namespace krypton::controlplane {
std::vector<prometheus::MetricFamily> StateMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families = registry::CollectState(registry_);
  families.push_back(metrics::Gauge("krypton_api_streams",
                                    "Watches and log readers that are open now.",
                                    static_cast<double>(streams_.size())));
  return families;
}

}  // namespace krypton::controlplane
