#include "gateway/state_metrics.h"

#include <prometheus/collectable.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/registry/state_metrics.h"

namespace krypton::gateway {
namespace {

// One of Dispatcher::Totals of each agent and model. Written one by one: to collect thousands of
// them first is a stretch of milliseconds, in which traffic waits for the core.
class AgentGauge : public metrics::WritingCollectable {
 public:
  AgentGauge(const RouteTable& routes, std::string name, std::string help,
             int Dispatcher::Totals::*member)
      : routes_(routes), name_(std::move(name)), help_(std::move(help)), member_(member) {}

  const std::string& name() const override { return name_; }

  void Write(metrics::Writer& writer) const override {
    writer.Header(name_, help_, prometheus::MetricType::Gauge);
    const auto agents = routes_.List();
    for (const DispatcherPtr& agent : *agents) {
      writer.Value(agent->label_text(), agent->totals().*member_);
    }
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::MetricFamily family{name_, help_, prometheus::MetricType::Gauge, {}};
    const auto agents = routes_.List();
    for (const DispatcherPtr& agent : *agents) {
      prometheus::ClientMetric& metric = family.metric.emplace_back();
      metric.label = {{"agent", agent->key().name()}, {"namespace", agent->key().namespace_()}};
      metric.gauge.value = agent->totals().*member_;
    }
    return {std::move(family)};
  }

 private:
  const RouteTable& routes_;
  const std::string name_;
  const std::string help_;
  int Dispatcher::Totals::*const member_;
};

class RegistryGauges : public prometheus::Collectable {
 public:
  explicit RegistryGauges(const registry::Client& client) : client_(client) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    return registry::CollectState(client_);
  }

 private:
  const registry::Client& client_;
};

}  // namespace

void AddStateMetrics(metrics::Registry& registry, const RouteTable& routes,
                     const registry::Client& client) {
  const auto add = [&](const char* name, const char* help, int Dispatcher::Totals::*member) {
    registry.AddFamily(std::make_shared<AgentGauge>(routes, name, help, member));
  };
  add("krypton_buffer_depth", "Calls that wait for a replica now.", &Dispatcher::Totals::waiting);
  add("krypton_gateway_inflight", "Calls of this gateway at replicas now.",
      &Dispatcher::Totals::in_flight);
  add("krypton_gateway_streams", "Streams open through this gateway now.",
      &Dispatcher::Totals::streams);
  registry.Add(std::make_shared<RegistryGauges>(client));
}

}  // namespace krypton::gateway
