#include "controlplane/state_metrics.h"

#include <chrono>
#include <string>
#include <utility>

namespace krypton::controlplane {
namespace {

prometheus::MetricFamily Gauge(std::string name, std::string help, double value) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = prometheus::MetricType::Gauge;
  family.metric.emplace_back().gauge.value = value;
  return family;
}

}  // namespace

std::vector<prometheus::MetricFamily> StateMetrics::Collect() const {
  const registry::State state = registry_.state();
  const std::chrono::duration<double> stale =
      state.stale_since ? std::chrono::steady_clock::now() - *state.stale_since
                        : std::chrono::steady_clock::duration(0);
  // The first three are the gateway's too, in the same words.
  return {
      Gauge("krypton_registry_connected", "1 while the registry stream from the manager is up.",
            state.connected ? 1 : 0),
      Gauge("krypton_registry_version", "The registry's version applied last.",
            static_cast<double>(state.version)),
      Gauge("krypton_registry_lag_seconds",
            "For how long the registry may have changed unseen; 0 while connected.", stale.count()),
      Gauge("krypton_api_streams", "Watches and log readers that are open now.",
            static_cast<double>(streams_.size()))};
}

}  // namespace krypton::controlplane
