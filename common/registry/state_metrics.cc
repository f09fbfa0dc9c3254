#include "common/registry/state_metrics.h"

#include <chrono>

#include "common/metrics/gauge.h"

namespace krypton::registry {

std::vector<prometheus::MetricFamily> CollectState(const Client& client) {
  const State state = client.state();
  const std::chrono::duration<double> stale =
      state.stale_since ? std::chrono::steady_clock::now() - *state.stale_since
                        : std::chrono::steady_clock::duration(0);
  return {metrics::Gauge("krypton_registry_connected",
                         "1 while the registry stream from the manager is up.",
                         state.connected ? 1 : 0),
          metrics::Gauge("krypton_registry_version", "The registry's version applied last.",
                         static_cast<double>(state.version)),
          metrics::Gauge("krypton_registry_lag_seconds",
                         "For how long the registry may have changed unseen; 0 while connected.",
                         stale.count())};
}

}  // namespace krypton::registry
