#include "common/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>

#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "common/rpc/callback_threads.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/listener.h"
#include "grpc/health/v1/health.pb.h"

namespace krypton::rpc {
namespace {

// Reflection is the only service with threads of its own.
constexpr int kMaxSyncThreads = 16;

// Learns the full names of all services, which health checking wants and gRPC tells plugins only.
class NameCollector : public grpc::ServerBuilderPlugin {
 public:
  explicit NameCollector(std::vector<std::string>* names) : names_(names) {}
  std::string name() override { return "krypton.names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* initializer) override {
    *names_ = *initializer->GetServiceList();
  }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  std::vector<std::string>* const names_;
};

class NameCollectorOption : public grpc::ServerBuilderOption {
 public:
  explicit NameCollectorOption(std::vector<std::string>* names) : names_(names) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<NameCollector>(names_));
  }

 private:
  std::vector<std::string>* const names_;
};

void AddArguments(const Server::Settings& settings, grpc::ServerBuilder& builder) {
  // The counterpart of channel.cc: pings of clients are welcome, and dead clients are noticed.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  const auto age = static_cast<int>(std::chrono::milliseconds(settings.max_connection_age).count());
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, age);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, age / 3);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, settings.max_streams_per_connection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  // A connection may be one of thousands of sidecars: no history for channelz, no probes that grow
  // its window, no compressor.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_DECODER, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_ENCODER, 0);
  builder.SetMaxReceiveMessageSize(settings.max_receive_bytes);
  grpc::ResourceQuota quota("krypton");
  quota.Resize(settings.memory_quota_bytes);
  quota.SetMaxThreads(kMaxSyncThreads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace

struct Server::Impl {
  Settings settings;
  std::vector<grpc::Service*> services;
  std::vector<std::string> names;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
  bool down = false;
};

Server::Server(Settings settings, std::vector<grpc::Service*> services)
    : impl_(std::make_unique<Impl>()) {
  impl_->settings = std::move(settings);
  impl_->services = std::move(services);
  RedirectGrpcLog();
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Links the health service's description in, for reflection.
    google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();
  });
  KeepCallbackThreads();
}

Server::~Server() { Shutdown(std::chrono::milliseconds(0)); }

absl::StatusOr<config::HostPort> Server::Start() {
  auto address = config::ParseHostPort(impl_->settings.bind_address);
  if (!address.ok()) return address.status();
  const auto credentials = ServerCredentials(impl_->settings.tls);
  if (!credentials.ok()) return credentials.status();
  auto listener = Listener::Open(*address);
  if (!listener.ok()) return listener.status();
  grpc::ServerBuilder builder;
  impl_->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, *credentials);
  AddArguments(impl_->settings, builder);
  for (grpc::Service* service : impl_->services) builder.RegisterService(service);
  builder.SetOption(std::make_unique<NameCollectorOption>(&impl_->names));
  impl_->server = builder.BuildAndStart();
  if (impl_->server == nullptr) {
    return absl::UnavailableError("gRPC cannot serve on " + config::ToString(*address) +
                                  "; the lines before say why");
  }
  impl_->listener = *std::move(listener);
  address->port = impl_->listener->port();
  SetServing(true);
  impl_->listener->Start([acceptor = impl_->acceptor.get()](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  });
  return address;
}

std::shared_ptr<grpc::Channel> Server::InProcessChannel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // what our own server says is not limited
  return impl_->server->InProcessChannel(arguments);
}

void Server::SetServing(bool serving) {
  if (impl_->server == nullptr) return;
  auto* health = impl_->server->GetHealthCheckService();
  health->SetServingStatus("", serving);
  for (const std::string& name : impl_->names) health->SetServingStatus(name, serving);
}

void Server::Shutdown(std::chrono::milliseconds grace) {
  if (impl_->server == nullptr || std::exchange(impl_->down, true)) return;
  SetServing(false);
  // Before gRPC, which would leave the connections open that come after its end.
  impl_->listener->Stop();
  impl_->server->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace krypton::rpc
