#include "manager/manager.h"

#include <grpcpp/channel.h>

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "common/config/ready_file.h"
#include "common/log/log.h"
#include "common/metrics/registry.h"
#include "common/ops/server.h"
#include "common/rpc/server.h"
#include "common/transcode/transcoder.h"
#include "manager/controller/controller.h"
#include "manager/controller/manager_service.h"
#include "manager/controller/scaling_service.h"
#include "manager/leadership.h"
#include "manager/load/load_service.h"
#include "manager/load/reporter_authenticator.h"
#include "manager/registry/registry_service.h"
#include "manager/registry/store.h"
#include "manager/scaler/scaler_host.h"
#include "manager/ticker.h"

namespace krypton::manager {

namespace {

absl::Status Check(const ManagerSettings& settings) {
  const double target = settings.policy.target_utilization;
  if (!(target > 0 && target <= 1)) {
    return absl::InvalidArgumentError("--scaler-target-utilization is not above 0 and up to 1");
  }
  if (settings.scaler_interval < std::chrono::milliseconds(10)) {
    return absl::InvalidArgumentError("--scaler-interval is shorter than 10ms");
  }
  if (settings.policy.stable_window < settings.scaler_interval) {
    return absl::InvalidArgumentError("--scaler-stable-window is shorter than --scaler-interval");
  }
  return absl::OkStatus();
}

// Stands for the platform's authenticator until there is a platform.
class PlatformsAuthenticator : public ReporterAuthenticator {
 public:
  void Set(platform::Platform& platform) {
    authenticator_ = platform.authenticator();
    known_ = true;
  }
  void Authenticate(ReporterClaim claim, Done done) override {
    if (!known_) return done(absl::UnavailableError("the manager is starting"));
    if (authenticator_ == nullptr) return done(absl::OkStatus());
    authenticator_->Authenticate(std::move(claim), std::move(done));
  }

 private:
  ReporterAuthenticator* authenticator_ = nullptr;
  std::atomic<bool> known_ = false;
};

}  // namespace

// In the order in which data passes through them; destroyed in the opposite one.
struct Manager::Parts {
  Parts(ManagerSettings settings_in, PlatformFactory make_platform_in,
        std::shared_ptr<metrics::Registry> metrics_in)
      : settings(std::move(settings_in)),
        make_platform(std::move(make_platform_in)),
        metrics(std::move(metrics_in)) {}

  void MakeServices();
  absl::Status StartServers();
  absl::Status StartPlatform();
  void OnLeadership(const Leadership::View& view);

  const ManagerSettings settings;
  const PlatformFactory make_platform;
  const std::shared_ptr<metrics::Registry> metrics;

  Leadership leadership;
  RegistryStore store;
  std::optional<Controller> controller;
  std::optional<scaler::ScalerHost> scaler;
  std::unique_ptr<platform::Platform> platform;
  std::optional<RegistryServiceImpl> registry_service;
  PlatformsAuthenticator authenticator;
  std::optional<LoadServiceImpl> load_service;
  std::optional<ScalingServiceImpl> scaling_service;
  std::optional<ManagerServiceImpl> manager_service;
  std::optional<rpc::Server> grpc_server;
  config::HostPort grpc_address;
  std::optional<ops::Server> ops_server;
  config::HostPort ops_address;
  std::optional<Ticker> housekeeping;
};

Manager::Manager(ManagerSettings settings, PlatformFactory make_platform,
                 std::shared_ptr<metrics::Registry> metrics)
    : parts_(std::make_unique<Parts>(std::move(settings), std::move(make_platform),
                                     std::move(metrics))) {}

Manager::~Manager() = default;

void Manager::Parts::MakeServices() {
  const Clock clock;
  ControllerSettings controller_settings;
  controller_settings.gateway_url = settings.gateway_url;
  controller_settings.scaler_enabled = settings.enable_scaler;
  controller_settings.on_leadership = [this](const auto& view) { OnLeadership(view); };
  controller.emplace(controller_settings, clock, store, leadership, *metrics);

  scaler::ScalerHostSettings scaler_settings;
  scaler_settings.policy = settings.policy;
  scaler_settings.interval = settings.scaler_interval;
  scaler.emplace(scaler_settings, clock, *metrics);

  // The controller first: a replica that is ready is an endpoint before its load is counted.
  std::vector<LoadListener*> listeners = {&*controller};
  if (settings.enable_scaler) listeners.push_back(&scaler->listener());
  registry_service.emplace(RegistryServiceSettings(), store, *metrics);
  LoadSettings load_settings;
  load_settings.authenticator = &authenticator;
  load_service.emplace(load_settings, clock, leadership, listeners, *metrics);
  scaling_service.emplace(ScalingServiceSettings(), *controller, leadership);
  manager_service.emplace(ManagerServiceSettings(), *controller);
}

absl::Status Manager::Parts::StartServers() {
  rpc::Server::Settings grpc_settings;
  grpc_settings.bind_address = settings.grpc_bind_address;
  grpc_settings.tls = settings.tls;
  grpc_server.emplace(grpc_settings,
                      std::vector<grpc::Service*>{&*registry_service, &*load_service,
                                                  &*scaling_service, &*manager_service});
  absl::StatusOr<config::HostPort> grpc_bound = grpc_server->Start();
  if (!grpc_bound.ok()) return grpc_bound.status();
  grpc_address = *grpc_bound;

  ops::Server::Settings ops_settings;
  ops_settings.bind_address = settings.metrics_bind_address;
  ops_settings.component = "manager";
  metrics->Add(rpc::TlsMetrics());
  ops_server.emplace(ops_settings, metrics);
  ops_server->AddReadinessCheck("platform", [this] {
    return controller->synced() ? absl::OkStatus()
                                : absl::UnavailableError("manifests and replicas are being read");
  });
  // Only what reads: nobody scales or reports load over HTTP.
  transcode::Settings only_reads;
  only_reads.read_only = true;
  ops_server->AddTranscoder(std::make_shared<transcode::Transcoder>(
      grpc_server->InProcessChannel(),
      std::vector<std::string>{"krypton.v1.RegistryService", "krypton.v1.ManagerService"},
      std::move(only_reads)));
  absl::StatusOr<config::HostPort> ops_bound = ops_server->Start();
  if (!ops_bound.ok()) return ops_bound.status();
  ops_address = *ops_bound;
  return absl::OkStatus();
}

absl::Status Manager::Parts::StartPlatform() {
  auto made = make_platform(config::Reachable(grpc_address));
  if (!made.ok()) return made.status();
  platform = *std::move(made);
  controller->SetPlatform(*platform);
  authenticator.Set(*platform);
  return platform->Start(*controller);
}

// By the platform's thread. Who reports load begins anew, and says everything to whoever leads now.
void Manager::Parts::OnLeadership(const Leadership::View& view) {
  if (settings.enable_scaler) {
    view.leader ? scaler->Lead(view.term, grpc_server->InProcessChannel()) : scaler->Follow();
  }
  load_service->EndStreams();
}

absl::Status Manager::Start() {
  Parts& parts = *parts_;
  if (absl::Status status = Check(parts.settings); !status.ok()) return status;
  parts.MakeServices();
  if (absl::Status status = parts.StartServers(); !status.ok()) return status;
  if (absl::Status status = parts.StartPlatform(); !status.ok()) return status;
  parts.housekeeping.emplace(std::chrono::seconds(1), [&parts] {
    parts.load_service->EndSilentStreams();
    parts.registry_service->UpdateMetrics();
  });
  log::Info("manager serves", {{"grpc", config::ToString(parts.grpc_address)},
                               {"ops", config::ToString(parts.ops_address)}});
  absl::Status written = config::WriteReadyFile(parts.settings.ready_file,
                                                {{"grpc", config::ToString(parts.grpc_address)},
                                                 {"ops", config::ToString(parts.ops_address)}});
  if (!written.ok()) (void)Stop();
  return written;
}

absl::Status Manager::Stop() {
  Parts& parts = *parts_;
  parts.ops_server->SetDraining();
  parts.grpc_server->SetServing(false);
  parts.scaler->Follow();
  // Gateways and sidecars go on hearing and reporting while the replicas drain.
  parts.platform->Stop();
  parts.scaler->Follow();  // It may have begun to lead meanwhile.
  parts.housekeeping.reset();
  parts.registry_service->Shutdown();
  parts.load_service->Shutdown();
  parts.scaling_service->Shutdown();
  parts.manager_service->Shutdown();
  parts.grpc_server->Shutdown(std::chrono::seconds(2));
  parts.ops_server->Stop();
  log::Info("manager stopped");
  return absl::OkStatus();
}

}  // namespace krypton::manager
