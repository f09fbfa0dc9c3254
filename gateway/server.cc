#include "gateway/server.h"

#include <unistd.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/ready_file.h"
#include "common/config/version.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/http/workers.h"
#include "common/load/reporter.h"
#include "common/log/log.h"
#include "common/metrics/registry.h"
#include "common/ops/liveness.h"
#include "common/ops/server.h"
#include "common/registry/client.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/transcode/transcoder.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "gateway/queue_reports.h"
#include "gateway/route_table.h"
#include "gateway/service.h"
#include "gateway/state_metrics.h"

namespace krypton::gateway {
namespace {

// For streams to end by their protocol, once nothing else is in flight.
constexpr milliseconds kStreamPatience{5'000};
// The first snapshot, before the process says that it is ready. It serves without, later.
constexpr milliseconds kFirstSnapshotPatience{5'000};
constexpr milliseconds kReportPatience{200};
constexpr milliseconds kDrainPoll{5};

// Unique among gateways, also after a restart.
std::string InstanceName() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return absl::StrCat(host, "-", getpid(), "-", now / std::chrono::milliseconds(1));
}

absl::Status Positive(const char* flag, int value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", value, " is not at least 1"));
}

absl::StatusOr<TrustedProxies> Check(const ServerSettings& settings) {
  for (const auto& [flag, value] :
       {std::pair("--max-buffer-per-agent", settings.max_buffer_per_agent),
        std::pair("--model-scan-bytes", settings.model_scan_bytes),
        std::pair("--model-scan-memory-bytes", settings.model_scan_memory_bytes),
        std::pair("--max-hops", settings.max_hops),
        std::pair("--max-connections", settings.max_connections)}) {
    if (absl::Status status = Positive(flag, value); !status.ok()) return status;
  }
  if (settings.model_body_rate < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--model-body-rate ", settings.model_body_rate, " is negative"));
  }
  absl::StatusOr<TrustedProxies> proxies = TrustedProxies::Parse(settings.trusted_proxies);
  if (!proxies.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--trusted-proxies: ", proxies.status().message()));
  }
  return proxies;
}

RouteTable::Settings TableSettings(const ServerSettings& settings) {
  RouteTable::Settings table;
  table.dispatcher.max_queue = settings.max_buffer_per_agent;
  table.dispatcher.max_sessions = std::max(settings.max_sessions_per_agent, 0);
  table.default_startup_timeout = settings.default_startup_timeout;
  return table;
}

}  // namespace

// In the order in which data passes through; destroyed in the reverse order.
struct Server::Impl {
  explicit Impl(ServerSettings given)
      : settings(std::move(given)),
        instance(InstanceName()),
        metrics_registry(std::make_shared<metrics::Registry>("gateway")),
        metrics(*metrics_registry),
        workers(settings.threads, "gateway"),
        liveness(workers),
        client(workers),
        routes(
            TableSettings(settings), metrics,
            [this](const DispatcherPtr& changed, bool urgent) { reports.Note(changed, urgent); },
            [this](const http::Endpoint& gone) { client.Forget(gone); }) {}

  ~Impl() { Halt(); }

  absl::Status FollowRegistry();
  absl::Status ReportQueues();
  absl::Status ServeTraffic(TrustedProxies trusted_proxies);
  absl::Status ServeRpcs();
  absl::Status ServeOps();
  absl::Status SayReady();
  // Until nothing but streams is in flight, or `deadline`.
  void AwaitCalls(TimePoint deadline) const;
  // Stops what runs, in the order in which the parts need each other. Also after a start that
  // failed half-way.
  void Halt();

  const ServerSettings settings;
  const std::string instance;
  std::shared_ptr<metrics::Registry> metrics_registry;
  GatewayMetrics metrics;
  QueueReports reports;
  http::Workers workers;
  ops::WorkerLiveness liveness;
  http::Client client;
  RouteTable routes;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<http::Server> traffic;
  std::unique_ptr<registry::Client> registry;
  std::unique_ptr<load::Reporter> reporter;
  std::unique_ptr<Service> service;
  std::unique_ptr<rpc::Server> rpcs;
  std::unique_ptr<ops::Server> ops;
  std::string http_address;
  std::string grpc_address;
  std::string ops_address;
};

absl::Status Server::Impl::FollowRegistry() {
  auto channel = rpc::Connect(settings.manager_address, settings.tls);
  if (!channel.ok()) return channel.status();
  registry = std::make_unique<registry::Client>(
      *std::move(channel), registry::Settings{.client = absl::StrCat("gateway ", instance)},
      [this](const registry::Change& change) { routes.Apply(change); });
  AddStateMetrics(*metrics_registry, routes, *registry);
  registry->Start();
  return absl::OkStatus();
}

absl::Status Server::Impl::ReportQueues() {
  v1::Reporter who;
  who.set_kind(v1::REPORTER_KIND_GATEWAY);
  who.set_instance(instance);
  who.set_version(std::string(config::Version()));
  reporter = std::make_unique<load::Reporter>(
      [this](const std::string& address) { return rpc::Connect(address, settings.tls); }, who,
      load::Reporter::Settings{.manager_address = settings.manager_address},
      [this](load::Scope scope) { return reports.Collect(scope); });
  reports.SetReporter(reporter.get());
  reporter->Start();
  return absl::OkStatus();
}

absl::Status Server::Impl::ServeTraffic(TrustedProxies trusted_proxies) {
  workers.Start();
  gateway = std::make_unique<Gateway>(
      Gateway::Settings{
          .max_hops = settings.max_hops,
          .model_scan_bytes = static_cast<size_t>(settings.model_scan_bytes),
          .model_scan_memory_bytes = static_cast<size_t>(settings.model_scan_memory_bytes),
          .model_body_bytes_per_second = static_cast<uint64_t>(settings.model_body_rate),
          .trusted_proxies = std::move(trusted_proxies),
          .first_snapshot_patience = settings.default_startup_timeout},
      routes, client, metrics);
  http::ServerSettings http_settings{.bind_address = settings.http_bind_address};
  http_settings.limits.max_connections = settings.max_connections;
  http_settings.limits.head_timeout = settings.header_timeout;
  http_settings.limits.body_timeout = settings.body_timeout;
  http_settings.on_end = [this](const http::Exchange& exchange) { gateway->NoteEnd(exchange); };
  traffic = std::make_unique<http::Server>(
      workers, std::move(http_settings),
      [this](http::Exchange& exchange) { return gateway->Handle(exchange); });
  auto bound = traffic->Start();
  if (!bound.ok()) return bound.status();
  http_address = *std::move(bound);
  return absl::OkStatus();
}

absl::Status Server::Impl::ServeRpcs() {
  service = std::make_unique<Service>(routes, *traffic, workers);
  rpcs = std::make_unique<rpc::Server>(
      rpc::Server::Settings{.bind_address = settings.grpc_bind_address, .tls = settings.tls},
      std::vector<grpc::Service*>{service->grpc_service()});
  const auto bound = rpcs->Start();
  if (!bound.ok()) return bound.status();
  grpc_address = config::ToString(*bound);
  return absl::OkStatus();
}

absl::Status Server::Impl::ServeOps() {
  metrics_registry->Add(rpc::TlsMetrics());
  ops = std::make_unique<ops::Server>(
      ops::Server::Settings{.bind_address = settings.metrics_bind_address, .component = "gateway"},
      metrics_registry);
  ops->AddLivenessCheck("workers", [this] { return liveness.Check(); });
  ops->AddReadinessCheck("registry", [this] {
    return registry->Synced() ? absl::OkStatus()
                              : absl::UnavailableError("no snapshot of the registry yet");
  });
  // Invoke has the traffic port and gRPC: this port shows and never acts.
  transcode::Settings only_reads;
  only_reads.read_only = true;
  ops->AddTranscoder(std::make_shared<transcode::Transcoder>(
      rpcs->InProcessChannel(), std::vector<std::string>{"krypton.v1.GatewayService"},
      std::move(only_reads)));
  const auto bound = ops->Start();
  if (!bound.ok()) return bound.status();
  ops_address = config::ToString(*bound);
  return absl::OkStatus();
}

absl::Status Server::Impl::SayReady() {
  if (!registry->WaitSynced(kFirstSnapshotPatience)) {
    log::Warn("no snapshot of the registry yet", {{"manager", settings.manager_address}});
  }
  log::Info("gateway serves",
            {{"http", http_address}, {"grpc", grpc_address}, {"ops", ops_address}});
  return config::WriteReadyFile(
      settings.ready_file, {{"http", http_address}, {"grpc", grpc_address}, {"ops", ops_address}});
}

void Server::Impl::AwaitCalls(TimePoint deadline) const {
  const auto streams = [this] {
    int64_t open = 0;
    const auto agents = routes.List();
    for (const DispatcherPtr& agent : *agents) open += agent->totals().streams;
    return open;
  };
  while (traffic->requests_in_flight() > streams() && http::Clock::now() < deadline) {
    std::this_thread::sleep_for(kDrainPoll);
  }
}

void Server::Impl::Halt() {
  if (rpcs != nullptr) rpcs->Shutdown(kReportPatience);
  reports.SetReporter(nullptr);
  if (reporter != nullptr) reporter->Stop(kReportPatience);
  if (registry != nullptr) registry->Stop();
  if (traffic != nullptr) traffic->Stop();
  if (ops != nullptr) ops->Stop();
  workers.Stop();
}

Server::Server(ServerSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Server::~Server() = default;

absl::Status Server::Start() {
  absl::StatusOr<TrustedProxies> trusted_proxies = Check(impl_->settings);
  if (!trusted_proxies.ok()) return trusted_proxies.status();
  absl::Status status = impl_->ServeTraffic(*std::move(trusted_proxies));
  if (status.ok()) status = impl_->FollowRegistry();
  if (status.ok()) status = impl_->ReportQueues();
  if (status.ok()) status = impl_->ServeRpcs();
  if (status.ok()) status = impl_->ServeOps();
  if (status.ok()) status = impl_->SayReady();
  return status;
}

absl::Status Server::Stop() {
  log::Info("gateway drains", {{"in_flight", impl_->traffic->requests_in_flight()}});
  impl_->ops->SetDraining();
  impl_->rpcs->SetServing(false);
  // Load balancers learn of it in the meantime, and still send requests.
  impl_->traffic->BeginDrain(/*keep_listening=*/true);
  std::this_thread::sleep_for(impl_->settings.drain_delay);
  impl_->traffic->BeginDrain(/*keep_listening=*/false);
  impl_->AwaitCalls(http::Clock::now() + impl_->settings.drain_timeout);
  const TimePoint now = http::Clock::now();
  if (!impl_->traffic->Drain(now, now + kStreamPatience)) {
    log::Warn("calls were cut off at the end of the drain");
  }
  impl_->Halt();
  return absl::OkStatus();
}

}  // namespace krypton::gateway
