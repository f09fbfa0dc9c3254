// bench-registry HOST:PORT...: a manager that knows one agent, `bench/agent`, and one model,
// `bench/chat`, whose endpoints are the given addresses for ever. It lets the gateway (and the
// sidecar, whose reports it acknowledges) be measured without anything that scales. Prints the port
// on which it serves gRPC.
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/process.h"
#include "common/rpc/server.h"
#include "krypton/v1/registry.grpc.pb.h"
#include "krypton/v1/scaling.grpc.pb.h"

namespace krypton::bench {
namespace {

constexpr int kUnbounded = 100'000;

void SetName(v1::ResourceKind kind, const std::string& name, v1::ResourceKey* key,
             v1::ObjectMeta* metadata) {
  key->set_kind(kind);
  key->set_namespace_("bench");
  key->set_name(name);
  metadata->set_namespace_("bench");
  metadata->set_name(name);
  metadata->set_generation(1);
}

// What agents and models share.
template <typename Spec>
void SetScaling(Spec* spec) {
  spec->set_mode(v1::SCALING_MODE_ALWAYS_ON);
  spec->set_min_replicas(1);
  spec->set_max_replicas(10);
  spec->set_concurrency(kUnbounded);
  spec->set_port(8080);
  spec->mutable_timeout()->set_seconds(60);
  spec->mutable_startup_timeout()->set_seconds(30);
}

void FillAgent(v1::RegistryEntry& entry) {
  v1::Agent& agent = *entry.mutable_agent();
  SetName(v1::RESOURCE_KIND_AGENT, "agent", entry.mutable_key(), agent.mutable_metadata());
  v1::AgentSpec& spec = *agent.mutable_spec();
  SetScaling(&spec);
  spec.set_protocol(v1::AGENT_PROTOCOL_HTTP);
  spec.set_max_streams(kUnbounded);
  spec.set_invocation_path("/");
  spec.set_host_header(v1::HOST_HEADER_PRESERVE);
}

void FillModel(v1::RegistryEntry& entry) {
  v1::Model& model = *entry.mutable_model();
  SetName(v1::RESOURCE_KIND_MODEL, "chat", entry.mutable_key(), model.mutable_metadata());
  SetScaling(model.mutable_spec());
  model.mutable_spec()->set_usage(v1::MODEL_USAGE_OBSERVE);
}

void AddEndpoints(const std::vector<std::string>& addresses, v1::RegistryEntry& entry) {
  entry.set_version(1);
  for (const std::string& address : addresses) {
    v1::Endpoint& endpoint = *entry.add_endpoints();
    endpoint.set_instance(absl::StrCat("bench-", entry.endpoints_size()));
    endpoint.set_address(address);
    endpoint.set_state(v1::ENDPOINT_STATE_READY);
    endpoint.set_concurrency(kUnbounded);
    endpoint.set_generation(1);
  }
}

v1::WatchResponse Snapshot(const std::vector<std::string>& addresses) {
  v1::WatchResponse snapshot;
  snapshot.set_epoch("bench");
  snapshot.set_version(1);
  snapshot.set_full(true);
  snapshot.set_last_chunk(true);
  FillAgent(*snapshot.add_entries());
  FillModel(*snapshot.add_entries());
  for (v1::RegistryEntry& entry : *snapshot.mutable_entries()) AddEndpoints(addresses, entry);
  return snapshot;
}

// Sends the snapshot, and stays until the client goes.
class Watch : public grpc::ServerWriteReactor<v1::WatchResponse> {
 public:
  explicit Watch(const v1::WatchResponse& snapshot) { StartWrite(&snapshot); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

class StaticRegistry : public v1::RegistryService::CallbackService {
 public:
  explicit StaticRegistry(v1::WatchResponse snapshot) : snapshot_(std::move(snapshot)) {}
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override {
    return new bench::Watch(snapshot_);
  }

 private:
  const v1::WatchResponse snapshot_;
};

class Acknowledge : public grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse> {
 public:
  Acknowledge() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.set_acknowledged(request_.sequence());
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  v1::ReportRequest request_;
  v1::ReportResponse response_;
};

class StaticLoad : public v1::LoadService::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* Report(
      grpc::CallbackServerContext*) override {
    return new Acknowledge();
  }
};

}  // namespace
}  // namespace krypton::bench

int main(int argc, char** argv) {
  using krypton::config::Process;
  Process process;
  krypton::bench::StaticRegistry registry(
      krypton::bench::Snapshot(std::vector<std::string>(argv + 1, argv + argc)));
  krypton::bench::StaticLoad load;
  krypton::rpc::Server server({.bind_address = "127.0.0.1:0"}, {&registry, &load});
  return process.Run(
      [&]() -> absl::Status {
        const auto bound = server.Start();
        if (!bound.ok()) return bound.status();
        std::printf("%u\n", bound->port);
        std::fflush(stdout);
        return absl::OkStatus();
      },
      [&] {
        server.Shutdown(std::chrono::milliseconds(100));
        return absl::OkStatus();
      });
}
