#include "proxy/proxy.h"

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/address.h"
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
#include "common/rpc/channel.h"
#include "proxy/drain.h"
#include "proxy/limiter.h"
#include "proxy/load_report.h"
#include "proxy/metrics.h"
#include "proxy/prober.h"
#include "proxy/replica.h"
#include "proxy/traffic.h"

namespace krypton::proxy {
namespace {

// For streams to end by their protocol, once nothing else is in flight.
constexpr std::chrono::milliseconds kStreamPatience{2000};
// For the last load report.
constexpr std::chrono::milliseconds kReportPatience{200};

// Agents close idle connections early (uvicorn and Node.js after 5 s); a new one costs little on
// the loopback device.
http::ClientSettings AgentClient(int concurrency) {
  return {.max_idle_per_endpoint = concurrency, .idle_timeout = std::chrono::seconds(4)};
}

absl::Status Check(const ProxySettings& settings) {
  if (settings.name.empty()) return absl::InvalidArgumentError("--name is required");
  if (settings.instance.empty()) return absl::InvalidArgumentError("--instance is required");
  if (settings.concurrency < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--concurrency ", settings.concurrency, " is not at least 1"));
  }
  if (settings.max_streams < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-streams ", settings.max_streams, " is negative"));
  }
  return absl::OkStatus();
}

// A model's port is open long before the model is loaded: llama.cpp's server answers this with 503
// until then.
std::string ReadyPath(const ProxySettings& settings) {
  const bool by_health = settings.ready_path.empty() && settings.kind == "model";
  return by_health ? "/health" : settings.ready_path;
}

v1::ResourceKey Key(const ProxySettings& settings) {
  v1::ResourceKey key;
  key.set_kind(settings.kind == "model" ? v1::RESOURCE_KIND_MODEL : v1::RESOURCE_KIND_AGENT);
  key.set_namespace_(settings.agent_namespace);
  key.set_name(settings.name);
  return key;
}

}  // namespace

// In the order in which data passes through; destroyed in the reverse order.
struct Proxy::Impl {
  explicit Impl(ProxySettings given)
      : settings(std::move(given)),
        registry(std::make_shared<metrics::Registry>("proxy")),
        metrics(*registry, {.agent = settings.name, .agent_namespace = settings.agent_namespace}),
        limiter({.concurrency = settings.concurrency, .max_streams = settings.max_streams}),
        drain({.timeout = settings.drain_timeout, .token = settings.drain_token}, limiter, replica,
              [this] { AnnounceDrain(); }),
        workers(settings.threads, "proxy"),
        liveness(workers),
        client(workers, AgentClient(settings.concurrency)),
        probe_client(workers, {.max_idle_per_endpoint = 0}) {}

  absl::Status StartTraffic();
  absl::Status StartReports();
  absl::Status StartOps();
  void Halt();
  void OnReady(bool ready);
  void AnnounceDrain();
  bool EndStreams();

  const ProxySettings settings;
  Replica replica;
  std::shared_ptr<metrics::Registry> registry;
  Metrics metrics;
  Limiter limiter;
  Drain drain;
  http::Workers workers;
  ops::WorkerLiveness liveness;
  http::Client client;
  http::Client probe_client;
  std::unique_ptr<Prober> prober;
  std::unique_ptr<Traffic> traffic;
  std::unique_ptr<http::Server> server;
  std::mutex ending;  // Of the server: /drain and Stop may both come to it.
  std::unique_ptr<LoadReport> load_report;
  std::unique_ptr<load::Reporter> reporter;
  std::unique_ptr<ops::Server> ops;
  std::string http_address;
  std::string ops_address;
};

absl::Status Proxy::Impl::StartTraffic() {
  const auto agent = http::Endpoint::Parse(settings.agent_address);
  if (!agent.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--agent-address: ", agent.status().message()));
  }
  workers.Start();
  prober = std::make_unique<Prober>(
      workers[0], probe_client, *agent,
      Prober::Settings{.interval = settings.probe_interval, .ready_path = ReadyPath(settings)},
      [this](bool ready) { OnReady(ready); });
  traffic = std::make_unique<Traffic>(
      client, *agent, Traffic::Settings{.timeout = settings.timeout, .max_wait = settings.timeout},
      limiter, replica, metrics, [this] { prober->Suspect(); });
  http::ServerSettings server_settings{.bind_address = settings.http_bind_address};
  server_settings.on_end = [this](const http::Exchange& exchange) {
    metrics.CountRequest(exchange.status());
  };
  server = std::make_unique<http::Server>(
      workers, std::move(server_settings),
      [this](http::Exchange& exchange) { return traffic->Handle(exchange); });
  auto bound = server->Start();
  if (!bound.ok()) return bound.status();
  http_address = *std::move(bound);
  return absl::OkStatus();
}

absl::Status Proxy::Impl::StartReports() {
  const auto bound = config::ParseHostPort(http_address);
  if (!bound.ok()) return bound.status();
  // Wrong TLS files end the start; from then on a channel cannot fail.
  if (const auto probe = rpc::Connect(settings.manager_address, settings.tls); !probe.ok()) {
    return probe.status();
  }
  load_report = std::make_unique<LoadReport>(
      LoadReport::Identity{
          .key = Key(settings), .instance = settings.instance, .port = bound->port},
      limiter, replica);
  v1::Reporter who;
  who.set_kind(v1::REPORTER_KIND_SIDECAR);
  who.set_instance(settings.instance);
  who.set_version(std::string(config::Version()));
  reporter = std::make_unique<load::Reporter>(
      [this](const std::string& address) { return rpc::Connect(address, settings.tls); }, who,
      load::Reporter::Settings{.manager_address = settings.manager_address,
                               .token_file = settings.token_file},
      [this](load::Scope scope) { return load_report->Collect(scope); });
  return absl::OkStatus();
}

absl::Status Proxy::Impl::StartOps() {
  metrics.Observe(limiter, replica, *reporter);
  registry->Add(rpc::TlsMetrics());
  ops = std::make_unique<ops::Server>(
      ops::Server::Settings{.bind_address = settings.metrics_bind_address,
                            .component = "proxy",
                            .threads = 4,
                            .reserved_threads = 1,
                            .max_body_bytes = 64 << 10,
                            .max_connections = 64},
      registry);
  ops->AddLivenessCheck("workers", [this] { return liveness.Check(); });
  ops->AddReadinessCheck("agent", [this] {
    return replica.ready() ? absl::OkStatus()
                           : absl::UnavailableError("the agent does not accept connections yet");
  });
  for (const char* method : {"GET", "POST"}) {
    ops->Handle(method, "/drain", [this](const ops::Request& request) {
      ops::Response response = drain.Handle(request);
      // The agent ends once this is answered; its streams must have ended by their protocol before.
      if (response.status == 200) EndStreams();
      return response;
    });
  }
  auto bound = ops->Start();
  if (!bound.ok()) return bound.status();
  ops_address = config::ToString(*bound);
  return absl::OkStatus();
}

void Proxy::Impl::OnReady(bool ready) {
  if (!replica.SetReady(ready)) return;
  log::Info(ready ? "agent accepts connections" : "agent accepts no connections any more",
            {{"agent", settings.agent_address}});
  reporter->ReportNow();
}

void Proxy::Impl::AnnounceDrain() {
  reporter->ReportNow();
  ops->SetDraining();
}

// What is left are streams, and requests that had their time. Who comes second finds it done.
bool Proxy::Impl::EndStreams() {
  const std::lock_guard lock(ending);
  const http::TimePoint now = http::Clock::now();
  return server->Drain(now, now + kStreamPatience);
}

// All that runs, however far the start has come. May be called twice.
void Proxy::Impl::Halt() {
  if (reporter != nullptr) reporter->Stop();
  if (ops != nullptr) ops->Stop();
  if (prober != nullptr) prober->Stop();
  if (server != nullptr) server->Stop();
  workers.Stop();
}

Proxy::Proxy(ProxySettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

Proxy::~Proxy() { impl_->Halt(); }

absl::Status Proxy::Start() {
  if (auto status = Check(impl_->settings); !status.ok()) return status;
  if (auto status = impl_->StartTraffic(); !status.ok()) return status;
  if (auto status = impl_->StartReports(); !status.ok()) return status;
  if (auto status = impl_->StartOps(); !status.ok()) return status;
  impl_->reporter->Start();
  impl_->prober->Start();
  log::Info("serving", {{"http", impl_->http_address},
                        {"ops", impl_->ops_address},
                        {"agent", impl_->settings.agent_address}});
  return config::WriteReadyFile(impl_->settings.ready_file,
                                {{"http", impl_->http_address}, {"ops", impl_->ops_address}});
}

const std::string& Proxy::http_address() const { return impl_->http_address; }
const std::string& Proxy::ops_address() const { return impl_->ops_address; }

absl::Status Proxy::Stop() {
  const bool idle = impl_->drain.Wait();
  const bool ended = impl_->EndStreams();
  log::Info("drained", {{"idle", idle}, {"streams_ended", ended}});
  impl_->reporter->Stop(kReportPatience);
  impl_->Halt();
  return absl::OkStatus();
}

}  // namespace krypton::proxy
