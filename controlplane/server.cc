#include "controlplane/server.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/ready_file.h"
#include "common/log/log.h"
#include "common/metrics/registry.h"
#include "common/ops/server.h"
#include "common/registry/client.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/transcode/route_table.h"
#include "common/transcode/transcoder.h"
#include "controlplane/catalog.h"
#include "controlplane/leader.h"
#include "controlplane/metrics.h"
#include "controlplane/service.h"
#include "controlplane/state_metrics.h"
#include "controlplane/streams.h"
#include "controlplane/ui.h"

namespace krypton::controlplane {
namespace {

constexpr char kServiceName[] = "krypton.v1.ControlPlaneService";
// Calls under way may finish; streams were told to end before.
constexpr std::chrono::seconds kGrace(5);

// What the transcoder may report, whether it exists yet or not.
std::vector<std::string> RouteNames() {
  std::vector<std::string> names = {"unknown", "openapi"};
  const auto* service =
      v1::ListAgentsRequest::descriptor()->file()->FindServiceByName("ControlPlaneService");
  for (int i = 0; i < service->method_count(); ++i) {
    names.push_back(transcode::SnakeCaseName(service->method(i)->name()));
  }
  return names;
}

transcode::Settings TranscoderSettings(ApiMetrics& metrics) {
  transcode::Settings settings;
  settings.title = "Krypton control plane";
  settings.on_finished = [&metrics](const transcode::Outcome& outcome) {
    metrics.Count(outcome.route, outcome.method, outcome.status, outcome.duration,
                  outcome.traceparent);
  };
  return settings;
}

}  // namespace

// In the order in which data passes through; destroyed the other way round.
class Server::Impl {
 public:
  Impl(Settings settings, std::shared_ptr<grpc::Channel> manager)
      : settings_(std::move(settings)),
        metrics_(std::make_shared<metrics::Registry>("control-plane")),
        api_metrics_(*metrics_, RouteNames()),
        catalog_(settings_.gateway_url),
        streams_(settings_.max_streams),
        leader_(
            manager,
            [this](const std::string& address) { return rpc::Connect(address, settings_.tls); }),
        registry_(manager, {.client = "control-plane", .keys = {}},
                  [this](const registry::Change& change) {
                    leader_.Follow(change.leader_address);
                    streams_.Publish(catalog_.Apply(change));
                  }),
        service_(
            {catalog_, streams_, leader_, api_metrics_, [this] { return registry_.Synced(); }}),
        grpc_({.bind_address = settings_.grpc_bind_address, .tls = settings_.tls}, {&service_}),
        rest_({.bind_address = settings_.http_bind_address,
               .component = "control-plane",
               .ops_routes = false},
              metrics_),
        ops_({.bind_address = settings_.metrics_bind_address, .component = "control-plane"},
             metrics_) {
    metrics_->Add(rpc::TlsMetrics());
  }

  absl::Status Start() {
    metrics_->Add(std::make_shared<StateMetrics>(registry_, streams_));
    registry_.Start();
    absl::StatusOr<config::HostPort> grpc_address = grpc_.Start();
    if (!grpc_address.ok()) return grpc_address.status();
    auto transcoder = std::make_shared<transcode::Transcoder>(
        grpc_.InProcessChannel(), std::vector<std::string>{kServiceName},
        TranscoderSettings(api_metrics_));
    AddUi(rest_);
    rest_.AddTranscoder(transcoder);
    ops_.AddTranscoder(transcoder);
    ops_.AddReadinessCheck("registry", [this] { return CheckRegistry(); });
    ops_.AddReadinessNote("manager", [this] { return DescribeManager(); });
    absl::StatusOr<config::HostPort> http_address = rest_.Start();
    if (!http_address.ok()) return http_address.status();
    absl::StatusOr<config::HostPort> ops_address = ops_.Start();
    if (!ops_address.ok()) return ops_address.status();
    log::Info("control plane serves", {{"http", config::ToString(*http_address)},
                                       {"grpc", config::ToString(*grpc_address)},
                                       {"ops", config::ToString(*ops_address)},
                                       {"manager", settings_.manager_address}});
    return config::WriteReadyFile(settings_.ready_file, {{"http", config::ToString(*http_address)},
                                                         {"grpc", config::ToString(*grpc_address)},
                                                         {"ops", config::ToString(*ops_address)}});
  }

  absl::Status Stop() {
    ops_.SetDraining();
    grpc_.SetServing(false);
    streams_.StopAll();
    rest_.Stop();
    grpc_.Shutdown(kGrace);
    registry_.Stop();
    ops_.Stop();
    return absl::OkStatus();
  }

 private:
  // Ready once the registry was read; a manager that is gone later makes the answers old, not
  // wrong.
  absl::Status CheckRegistry() const {
    if (registry_.Synced()) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("not read yet from ", settings_.manager_address, " ",
                                               registry_.state().last_error));
  }

  std::string DescribeManager() const {
    const registry::State state = registry_.state();
    if (state.connected) return "";
    std::string text = absl::StrCat(settings_.manager_address, " cannot be reached");
    if (state.synced && state.stale_since) {
      const auto age = std::chrono::steady_clock::now() - *state.stale_since;
      absl::StrAppend(&text, "; answers are as of ",
                      std::chrono::duration_cast<std::chrono::seconds>(age).count(), " s ago");
    }
    return text;
  }

  const Settings settings_;
  const std::shared_ptr<metrics::Registry> metrics_;
  ApiMetrics api_metrics_;
  Catalog catalog_;
  Streams streams_;
  Leader leader_;
  registry::Client registry_;
  Service service_;
  rpc::Server grpc_;
  ops::Server rest_;
  ops::Server ops_;
};

Server::Server(Settings settings) : settings_(std::move(settings)) {}
Server::~Server() = default;

absl::Status Server::Start() {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> manager =
      rpc::Connect(settings_.manager_address, settings_.tls);
  if (!manager.ok()) return manager.status();
  impl_ = std::make_unique<Impl>(settings_, *std::move(manager));
  return impl_->Start();
}

absl::Status Server::Stop() { return impl_->Stop(); }

}  // namespace krypton::controlplane
