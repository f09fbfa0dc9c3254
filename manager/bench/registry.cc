#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/registry/client.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "manager/bench/figures.h"
#include "manager/registry/registry_service.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using Time = std::chrono::steady_clock::time_point;

v1::RegistryEntry Entry(int agent, int endpoints, int generation) {
  v1::RegistryEntry entry;
  const std::string name = absl::StrCat("agent-", agent);
  *entry.mutable_key() = resource::AgentKey("default", name);
  *entry.mutable_agent() = MakeAgent(name, {.generation = generation});
  for (int i = 0; i < endpoints; ++i) {
    v1::Endpoint* endpoint = entry.add_endpoints();
    endpoint->set_instance(absl::StrCat(name, "-", i, "-0123456789abcdef"));
    endpoint->set_address(absl::StrCat("10.0.", agent % 250, ".", i, ":8889"));
    endpoint->set_state(v1::ENDPOINT_STATE_READY);
    endpoint->set_concurrency(8);
  }
  return entry;
}

// When each gateway had the change of the round.
class Arrivals {
 public:
  explicit Arrivals(int gateways) : gateways_(gateways) {}

  void Begin(int generation) {
    std::lock_guard lock(mutex_);
    generation_ = generation;
    times_.clear();
  }
  void Note(int64_t generation) {
    std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    times_.push_back(std::chrono::steady_clock::now());
    changed_.notify_all();
  }
  std::vector<Time> Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10),
                      [&] { return static_cast<int>(times_.size()) == gateways_; });
    return times_;
  }

 private:
  const int gateways_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int generation_ = -1;
  std::vector<Time> times_;
};

std::unique_ptr<registry::Client> Connect(const std::string& address, Arrivals& arrivals) {
  auto channel = rpc::Connect(address, {});
  if (!channel.ok()) return nullptr;
  registry::Settings settings;
  settings.client = "bench";
  auto client = std::make_unique<registry::Client>(
      *channel, settings, [&arrivals](const registry::Change& change) {
        if (change.full) return;
        for (const auto& entry : change.entries) {
          arrivals.Note(entry->agent().metadata().generation());
        }
      });
  client->Start();
  return client;
}

}  // namespace

void MeasureRegistry(int agents, int endpoints, int gateways, int changes) {
  RegistryStore store;
  for (int agent = 0; agent < agents; ++agent) store.Put(Entry(agent, endpoints, 1));
  store.SetSynced();
  prometheus::Registry metrics;
  RegistryServiceImpl service({}, store, metrics);
  rpc::Server server({}, {&service});
  const auto address = server.Start();
  if (!address.ok()) return;

  Arrivals arrivals(gateways);
  const Time before = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<registry::Client>> clients;
  for (int i = 0; i < gateways; ++i) {
    clients.push_back(Connect(config::ToString(*address), arrivals));
  }
  for (const auto& client : clients) (void)client->WaitSynced(std::chrono::seconds(60));
  const std::chrono::duration<double, std::milli> snapshot =
      std::chrono::steady_clock::now() - before;

  std::vector<double> times;
  for (int change = 0; change < changes; ++change) {
    arrivals.Begin(change + 2);
    const Time start = std::chrono::steady_clock::now();
    store.Put(Entry(change * 37 % agents, endpoints, change + 2));
    for (const Time arrival : arrivals.Wait()) {
      times.push_back(std::chrono::duration<double, std::milli>(arrival - start).count());
    }
  }
  PrintTimes("registry_fan_out", times, 50);
  PrintTimes("registry_snapshot_to_all_gateways", {snapshot.count()}, 0);
  for (const auto& client : clients) client->Stop();
  service.Shutdown();
  server.Shutdown(std::chrono::seconds(5));
}

}  // namespace krypton::manager
