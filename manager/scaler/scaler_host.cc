#include "manager/scaler/scaler_host.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>

#include "common/registry/client.h"
#include "manager/scaler/publisher.h"
#include "manager/scaler/scaler.h"
#include "manager/ticker.h"

namespace krypton::scaler {

// Of one term.
struct ScalerHost::Parts {
  Parts(const ScalerHostSettings& settings, uint64_t term, manager::Clock clock,
        prometheus::Registry& metrics, const std::shared_ptr<grpc::Channel>& manager)
      : publisher(manager, {.scaler = "scaler", .term = term},
                  [this](const v1::DecisionRefusal& refusal) { scaler.OnRefusal(refusal); }),
        scaler({.policy = settings.policy, .book = {}, .term = term}, std::move(clock), metrics,
               [this](v1::ScalingDecision decision) { publisher.Publish(std::move(decision)); }),
        registry(manager, RegistrySettings(),
                 [this](const registry::Change& change) { scaler.OnRegistryChange(change); }) {}

  static registry::Settings RegistrySettings() {
    registry::Settings settings;
    settings.client = "scaler";
    return settings;
  }

  void Start(std::chrono::milliseconds interval) {
    publisher.Start();
    registry.Start();
    ticker.emplace(interval, [this] { scaler.Tick(); });
  }
  void Stop() {
    ticker.reset();
    registry.Stop();
    publisher.Stop();
  }

  Publisher publisher;
  Scaler scaler;
  registry::Client registry;
  std::optional<manager::Ticker> ticker;
};

ScalerHost::ScalerHost(ScalerHostSettings settings, manager::Clock clock,
                       prometheus::Registry& metrics)
    : settings_(settings), clock_(std::move(clock)), metrics_(metrics) {}

ScalerHost::~ScalerHost() { Follow(); }

std::shared_ptr<ScalerHost::Parts> ScalerHost::parts() const {
  std::lock_guard lock(mutex_);
  return parts_;
}

void ScalerHost::Lead(uint64_t term, const std::shared_ptr<grpc::Channel>& manager) {
  std::lock_guard turn(turn_);
  StopParts();
  auto parts = std::make_shared<Parts>(settings_, term, clock_, metrics_, manager);
  parts->Start(settings_.interval);
  std::lock_guard lock(mutex_);
  parts_ = std::move(parts);
}

void ScalerHost::Follow() {
  std::lock_guard turn(turn_);
  StopParts();
}

void ScalerHost::StopParts() {
  std::shared_ptr<Parts> before;
  {
    std::lock_guard lock(mutex_);
    before = std::exchange(parts_, nullptr);
  }
  if (before != nullptr) before->Stop();
}

void ScalerHost::OnLoad(const manager::LoadSource& source, const v1::ReportRequest& report,
                        bool first) {
  if (const auto current = parts()) current->scaler.OnLoad(source, report, first);
}

void ScalerHost::OnLoadStreamEnd(const manager::LoadSource& source) {
  if (const auto current = parts()) current->scaler.OnLoadStreamEnd(source);
}

}  // namespace krypton::scaler
