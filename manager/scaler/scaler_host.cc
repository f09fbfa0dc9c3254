#include "manager/scaler/scaler_host.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>

#include "common/registry/client.h"
#include "manager/scaler/publisher.h"
#include "manager/scaler/scaler.h"
#include "manager/ticker.h"

namespace krypton::scaler {

struct ScalerHost::Parts {
  Parts(ScalerHostSettings settings_in, manager::Clock clock, prometheus::Registry& metrics)
      : settings(settings_in),
        scaler({.policy = settings_in.policy, .book = {}, .term = settings_in.term},
               std::move(clock), metrics, [this](v1::ScalingDecision decision) {
                 if (publisher.has_value()) publisher->Publish(std::move(decision));
               }) {}

  const ScalerHostSettings settings;
  // Set before anything can be published: decisions need the registry.
  std::optional<Publisher> publisher;
  Scaler scaler;
  std::optional<registry::Client> registry;
  std::optional<manager::Ticker> ticker;
};

ScalerHost::ScalerHost(ScalerHostSettings settings, manager::Clock clock,
                       prometheus::Registry& metrics)
    : parts_(std::make_unique<Parts>(settings, std::move(clock), metrics)) {}

ScalerHost::~ScalerHost() { Stop(); }

manager::LoadListener& ScalerHost::listener() { return parts_->scaler; }

void ScalerHost::Start(std::shared_ptr<grpc::Channel> manager) {
  Parts& parts = *parts_;
  PublisherSettings publisher{.scaler = "scaler", .term = parts.settings.term};
  parts.publisher.emplace(manager, publisher, [&parts](const v1::DecisionRefusal& refusal) {
    parts.scaler.OnRefusal(refusal);
  });
  parts.publisher->Start();
  registry::Settings registry;
  registry.client = "scaler";
  parts.registry.emplace(manager, registry, [&parts](const registry::Change& change) {
    parts.scaler.OnRegistryChange(change);
  });
  parts.registry->Start();
  parts.ticker.emplace(parts.settings.interval, [&parts] { parts.scaler.Tick(); });
}

void ScalerHost::Stop() {
  parts_->ticker.reset();
  if (parts_->registry.has_value()) parts_->registry->Stop();
  if (parts_->publisher.has_value()) parts_->publisher->Stop();
}

}  // namespace krypton::scaler
