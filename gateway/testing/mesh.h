// A gateway without its process, for tests: the real traffic server over a route table that the
// test fills, and replicas whose handlers the test writes. Callers block; every wait has an end.
#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/http/client.h"
#include "common/http/server.h"
#include "common/http/workers.h"
#include "common/metrics/registry.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "gateway/route_table.h"

namespace krypton::gateway::testing {

// A sidecar and its agent.
class Replica {
 public:
  Replica(http::Workers& workers, http::Handler handler);

  const std::string& address() const { return address_; }
  int requests() const { return requests_; }
  void Stop() { server_->Stop(); }

 private:
  std::atomic<int> requests_{0};
  http::Handler handler_;
  std::unique_ptr<http::Server> server_;
  std::string address_;
};

class Mesh {
 public:
  explicit Mesh(RouteTable::Settings settings = {}, Gateway::Settings gateway = {});
  ~Mesh();

  // A replica whose requests `handler` answers; not registered yet.
  Replica& AddReplica(http::Handler handler);
  // The agent default/echo with these replicas, ready, `concurrency` each.
  void Register(const std::vector<Replica*>& replicas, int concurrency = 8);
  void Unregister();
  // The model default/llama likewise.
  void RegisterModel(const std::vector<Replica*>& replicas, int concurrency = 8);
  v1::ModelSpec& model_spec() { return *model_entry_.mutable_model()->mutable_spec(); }
  void UnregisterModel();
  // Of the agent, for the next Register.
  v1::AgentSpec& spec() { return *entry_.mutable_agent()->mutable_spec(); }
  v1::RegistryEntry& entry() { return entry_; }

  const std::string& address() const { return address_; }
  httplib::Client NewClient() const;
  // To one of OpenAI's routes.
  httplib::Result Post(const std::string& path, const std::string& body,
                       httplib::Headers headers = {}) const;
  httplib::Result Get(const std::string& rest = "/", httplib::Headers headers = {}) const;
  std::future<httplib::Result> GetLater(const std::string& rest = "/") const;

  Dispatcher::Totals totals() const;
  Dispatcher::Totals model_totals() const;
  // The sum of a family's values (or counts) over the series with this label value.
  double Metric(const std::string& name, const std::string& label_value) const;

  http::Workers& workers() { return workers_; }
  http::Server& traffic() { return *server_; }
  RouteTable& routes() { return *routes_; }

 private:
  void Apply(const v1::RegistryEntry& entry);
  void Remove(const v1::ResourceKey& key);

  metrics::Registry registry_{"gateway"};
  GatewayMetrics metrics_{registry_};
  http::Workers workers_{2};
  http::Workers replica_workers_{1};
  http::Client client_{workers_};
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::string address_;
  v1::RegistryEntry entry_;
  v1::RegistryEntry model_entry_;
  uint64_t version_ = 0;
};

}  // namespace krypton::gateway::testing
