#include "common/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "common/rpc/callback_threads.h"
#include "common/rpc/grpc_log.h"
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

// Why an address cannot be bound, which gRPC does not say: tries it itself.
std::string WhyNotBound(const config::HostPort& address) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  if (const int error = getaddrinfo(host, port.c_str(), &hints, &found); error != 0) {
    return gai_strerror(error);
  }
  std::string why = "gRPC could not listen on it";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, 1) == 0;
    if (!bound) why = strerror(errno);
    close(fd);
    if (!bound) break;
  }
  freeaddrinfo(found);
  return why;
}

void AddArguments(const Server::Settings& settings, grpc::ServerBuilder& builder) {
  // Two processes on one port are a mistake, not load balancing.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
  grpc::ServerBuilder builder;
  int port = 0;
  const config::HostPort listen = {address->host.empty() ? "::" : address->host, address->port};
  builder.AddListeningPort(config::ToString(listen), *credentials, &port);
  AddArguments(impl_->settings, builder);
  for (grpc::Service* service : impl_->services) builder.RegisterService(service);
  builder.SetOption(std::make_unique<NameCollectorOption>(&impl_->names));
  impl_->server = builder.BuildAndStart();
  if (impl_->server == nullptr || port == 0) {
    impl_->server.reset();
    return absl::UnavailableError("cannot listen on " + config::ToString(*address) +
                                  " (gRPC): " + WhyNotBound(*address));
  }
  SetServing(true);
  address->port = static_cast<uint16_t>(port);
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
  impl_->server->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace krypton::rpc
