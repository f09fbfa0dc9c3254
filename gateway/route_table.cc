#include "gateway/route_table.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "common/resource/key.h"

namespace krypton::gateway {

RouteTable::RouteTable(Settings settings, GatewayMetrics& metrics, Dispatcher::LoadListener on_load,
                       std::function<void(const http::Endpoint&)> forget)
    : settings_(settings),
      metrics_(metrics),
      on_load_(std::move(on_load)),
      forget_(std::move(forget)) {}

void RouteTable::Apply(const registry::Change& change) {
  for (const v1::ResourceKey& key : change.removed) Remove(key);
  for (const registry::EntryPtr& entry : change.entries) {
    const auto resource = resource::Resource::FromEntry(*entry);
    if (resource == nullptr) continue;
    if (resource->agent() != nullptr) {
      ApplyAgent(*entry, *resource);
    } else {
      std::lock_guard lock(mutex_);
      models_.insert_or_assign(resource::ToString(entry->key()), entry);
    }
  }
  {
    std::lock_guard lock(mutex_);
    registry_version_ = change.version;
  }
  synced_.store(true, std::memory_order_release);
}

void RouteTable::ApplyAgent(const v1::RegistryEntry& entry, const resource::Resource& resource) {
  const std::string name = resource::ToString(entry.key());
  DispatcherPtr dispatcher = FindAgent(name);
  const bool is_new = dispatcher == nullptr;
  if (is_new) {
    dispatcher = std::make_shared<Dispatcher>(entry.key(), settings_.dispatcher,
                                              metrics_.For(entry.key()), on_load_);
  }
  const auto gone = dispatcher->Update(entry, PolicyOf(resource, settings_.default_startup_timeout),
                                       http::Clock::now());
  for (const http::Endpoint& endpoint : gone) forget_(endpoint);
  if (!is_new) return;
  std::lock_guard lock(mutex_);
  agents_.emplace(name, std::move(dispatcher));
}

void RouteTable::Remove(const v1::ResourceKey& key) {
  DispatcherPtr dispatcher;
  {
    std::lock_guard lock(mutex_);
    if (key.kind() == v1::RESOURCE_KIND_MODEL) {
      models_.erase(resource::ToString(key));
      return;
    }
    const auto found = agents_.find(resource::ToString(key));
    if (found == agents_.end()) return;
    dispatcher = std::move(found->second);
    agents_.erase(found);
  }
  for (const http::Endpoint& endpoint : dispatcher->Close()) forget_(endpoint);
  dispatcher->metrics().Retire();
  log::Info("agent removed", {{"agent", resource::ToString(key)}});
}

DispatcherPtr RouteTable::FindAgent(std::string_view key) const {
  std::shared_lock lock(mutex_);
  const auto found = agents_.find(key);
  return found == agents_.end() ? nullptr : found->second;
}

std::vector<DispatcherPtr> RouteTable::Agents() const {
  std::vector<DispatcherPtr> agents;
  {
    std::shared_lock lock(mutex_);
    agents.reserve(agents_.size());
    for (const auto& [name, dispatcher] : agents_) agents.push_back(dispatcher);
  }
  std::ranges::sort(agents, [](const DispatcherPtr& a, const DispatcherPtr& b) {
    return resource::KeyLess()(a->key(), b->key());
  });
  return agents;
}

uint64_t RouteTable::registry_version() const {
  std::shared_lock lock(mutex_);
  return registry_version_;
}

std::vector<registry::EntryPtr> RouteTable::Models() const {
  std::vector<registry::EntryPtr> models;
  std::shared_lock lock(mutex_);
  models.reserve(models_.size());
  for (const auto& [name, entry] : models_) models.push_back(entry);
  return models;
}

}  // namespace krypton::gateway
