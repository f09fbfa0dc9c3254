#include "manager/scaler/scaler.h"

#include <prometheus/registry.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/bench/figures.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

std::shared_ptr<v1::RegistryEntry> Entry(const std::string& name, int replicas) {
  auto entry = std::make_shared<v1::RegistryEntry>();
  *entry->mutable_key() = resource::AgentKey("default", name);
  *entry->mutable_agent() = MakeAgent(name);
  entry->mutable_agent()->mutable_status()->set_desired_replicas(replicas);
  for (int i = 0; i < replicas; ++i) {
    v1::Endpoint* endpoint = entry->add_endpoints();
    endpoint->set_instance(absl::StrCat(name, "-", i));
    endpoint->set_state(v1::ENDPOINT_STATE_READY);
  }
  return entry;
}

}  // namespace

void MeasureScaler(int agents, int replicas, int ticks) {
  FakeClock clock;
  prometheus::Registry metrics;
  scaler::Scaler scaler({}, clock.clock(), metrics, [](const v1::ScalingDecision&) {});
  for (int agent = 0; agent < agents; ++agent) {
    registry::Change change;
    change.entries.push_back(Entry(absl::StrCat("agent-", agent), replicas));
    scaler.OnRegistryChange(change);
  }
  std::vector<double> times;
  for (int tick = 0; tick < ticks; ++tick) {
    clock.Advance(std::chrono::seconds(1));
    for (int agent = 0; agent < agents; ++agent) {
      const std::string name = absl::StrCat("agent-", agent);
      for (int i = 0; i < replicas; ++i) {
        const std::string instance = absl::StrCat(name, "-", i);
        scaler.OnLoad(Sidecar(instance), ReplicaReport(name, instance, (tick * 7 + i) % 8), false);
      }
      if (agent % 10 == 0) scaler.OnLoad(Gateway("g1"), QueueReport(name, tick % 3), false);
    }
    const auto start = std::chrono::steady_clock::now();
    scaler.Tick();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  PrintTimes("scaler_tick", times, 20);
}

}  // namespace krypton::manager
