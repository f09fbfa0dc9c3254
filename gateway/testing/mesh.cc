#include "gateway/testing/mesh.h"

#include <thread>
#include <utility>

#include "common/resource/key.h"

namespace krypton::gateway::testing {
namespace {

constexpr std::chrono::seconds kPatience{20};

void SetEndpoints(v1::RegistryEntry& entry, const std::vector<Replica*>& replicas,
                  int concurrency) {
  entry.clear_endpoints();
  for (const Replica* replica : replicas) {
    v1::Endpoint& endpoint = *entry.add_endpoints();
    endpoint.set_instance("at " + replica->address());
    endpoint.set_address(replica->address());
    endpoint.set_state(v1::ENDPOINT_STATE_READY);
    endpoint.set_concurrency(concurrency);
    endpoint.mutable_start_timing()->mutable_decide()->set_nanos(2'000'000);
    endpoint.mutable_start_timing()->mutable_start()->set_nanos(30'000'000);
    endpoint.mutable_start_timing()->mutable_ready()->set_nanos(4'000'000);
  }
}

}  // namespace

Replica::Replica(http::Workers& workers, http::Handler handler) : handler_(std::move(handler)) {
  server_ = std::make_unique<http::Server>(workers, http::ServerSettings{},
                                           [this](http::Exchange& exchange) {
                                             ++requests_;
                                             return handler_(exchange);
                                           });
  address_ = *server_->Start();
}

Mesh::Mesh(RouteTable::Settings settings, Gateway::Settings gateway) {
  workers_.Start();
  replica_workers_.Start();
  routes_ = std::make_unique<RouteTable>(
      settings, metrics_, [](const DispatcherPtr&, bool) {},
      [this](const http::Endpoint& gone) { client_.Forget(gone); });
  gateway_ = std::make_unique<Gateway>(std::move(gateway), *routes_, client_, metrics_);
  http::ServerSettings server_settings;
  server_settings.on_end = [this](const http::Exchange& exchange) { gateway_->NoteEnd(exchange); };
  server_ = std::make_unique<http::Server>(
      workers_, std::move(server_settings),
      [this](http::Exchange& exchange) { return gateway_->Handle(exchange); });
  address_ = *server_->Start();
  *entry_.mutable_key() = resource::AgentKey("default", "echo");
  v1::Agent& agent = *entry_.mutable_agent();
  agent.mutable_metadata()->set_namespace_("default");
  agent.mutable_metadata()->set_name("echo");
  agent.mutable_metadata()->set_generation(1);
  agent.mutable_spec()->set_max_streams(256);
  agent.mutable_spec()->set_concurrency(8);
  *model_entry_.mutable_key() = resource::ModelKey("default", "llama");
  v1::Model& model = *model_entry_.mutable_model();
  model.mutable_metadata()->set_namespace_("default");
  model.mutable_metadata()->set_name("llama");
  model.mutable_metadata()->set_generation(1);
}

Mesh::~Mesh() {
  server_->Stop();
  workers_.Stop();
  for (const auto& replica : replicas_) replica->Stop();
  replica_workers_.Stop();
}

Replica& Mesh::AddReplica(http::Handler handler) {
  replicas_.push_back(std::make_unique<Replica>(replica_workers_, std::move(handler)));
  return *replicas_.back();
}

void Mesh::Register(const std::vector<Replica*>& replicas, int concurrency) {
  SetEndpoints(entry_, replicas, concurrency);
  Apply(entry_);
}

void Mesh::RegisterModel(const std::vector<Replica*>& replicas, int concurrency) {
  SetEndpoints(model_entry_, replicas, concurrency);
  Apply(model_entry_);
}

void Mesh::Unregister() { Remove(entry_.key()); }

void Mesh::UnregisterModel() { Remove(model_entry_.key()); }

void Mesh::Apply(const v1::RegistryEntry& entry) {
  registry::Change change;
  change.entries.push_back(std::make_shared<const v1::RegistryEntry>(entry));
  change.version = ++version_;
  routes_->Apply(change);
}

void Mesh::Remove(const v1::ResourceKey& key) {
  registry::Change change;
  change.removed.push_back(key);
  change.version = ++version_;
  routes_->Apply(change);
}

httplib::Result Mesh::Post(const std::string& path, const std::string& body,
                           httplib::Headers headers) const {
  return NewClient().Post(path.c_str(), headers, body, "application/json");
}

httplib::Client Mesh::NewClient() const {
  httplib::Client client("http://" + address_);
  client.set_read_timeout(kPatience);
  return client;
}

httplib::Result Mesh::Get(const std::string& rest, httplib::Headers headers) const {
  return NewClient().Get(("/v1/agents/default/echo" + rest).c_str(), headers);
}

std::future<httplib::Result> Mesh::GetLater(const std::string& rest) const {
  return std::async(std::launch::async, [this, rest] { return Get(rest); });
}

Dispatcher::Totals Mesh::totals() const {
  const DispatcherPtr agent = routes_->FindAgent("default/echo");
  return agent == nullptr ? Dispatcher::Totals{} : agent->totals();
}

Dispatcher::Totals Mesh::model_totals() const {
  const ModelRoutePtr model = routes_->models().Find("default/llama");
  return model == nullptr ? Dispatcher::Totals{} : model->dispatcher->totals();
}

double Mesh::Metric(const std::string& name, const std::string& label_value) const {
  double sum = 0;
  for (const auto& family : registry_.Collect()) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) {
        if (label.value != label_value) continue;
        sum += metric.counter.value + static_cast<double>(metric.histogram.sample_count);
      }
    }
  }
  return sum;
}

}  // namespace krypton::gateway::testing
