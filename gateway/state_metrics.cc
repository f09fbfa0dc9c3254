#include "gateway/state_metrics.h"

#include <chrono>
#include <string>
#include <utility>

namespace krypton::gateway {
namespace {

prometheus::MetricFamily GaugeFamily(std::string name, std::string help) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = prometheus::MetricType::Gauge;
  return family;
}

void AddValue(prometheus::MetricFamily& family, double value,
              std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

}  // namespace

std::vector<prometheus::MetricFamily> StateMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  CollectAgents(families);
  CollectRegistry(families);
  return families;
}

void StateMetrics::CollectAgents(std::vector<prometheus::MetricFamily>& families) const {
  auto depth = GaugeFamily("krypton_buffer_depth", "Calls that wait for a replica now.");
  auto in_flight =
      GaugeFamily("krypton_gateway_inflight", "Calls of this gateway at replicas now.");
  auto streams = GaugeFamily("krypton_gateway_streams", "Streams open through this gateway now.");
  for (const DispatcherPtr& agent : routes_.Dispatchers()) {
    const std::vector<prometheus::ClientMetric::Label> labels = {
        {"agent", agent->key().name()}, {"namespace", agent->key().namespace_()}};
    const Dispatcher::Totals totals = agent->totals();
    AddValue(depth, totals.waiting, labels);
    AddValue(in_flight, totals.in_flight, labels);
    AddValue(streams, totals.streams, labels);
  }
  for (auto* family : {&depth, &in_flight, &streams}) families.push_back(std::move(*family));
}

void StateMetrics::CollectRegistry(std::vector<prometheus::MetricFamily>& families) const {
  const registry::State state = registry_.state();
  auto connected = GaugeFamily("krypton_registry_connected",
                               "1 while the registry stream from the manager is up.");
  AddValue(connected, state.connected ? 1 : 0);
  auto version = GaugeFamily("krypton_registry_version", "The registry's version applied last.");
  AddValue(version, static_cast<double>(state.version));
  auto lag = GaugeFamily("krypton_registry_lag_seconds",
                         "For how long the registry may have changed unseen; 0 while connected.");
  const std::chrono::duration<double> stale =
      state.stale_since ? std::chrono::steady_clock::now() - *state.stale_since
                        : std::chrono::steady_clock::duration(0);
  AddValue(lag, stale.count());
  for (auto* family : {&connected, &version, &lag}) families.push_back(std::move(*family));
}

}  // namespace krypton::gateway
