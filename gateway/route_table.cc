#include "gateway/route_table.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "common/resource/conflict.h"
#include "common/resource/key.h"

namespace krypton::gateway {

RouteTable::RouteTable(Settings settings, GatewayMetrics& metrics, Dispatcher::LoadListener on_load,
                       std::function<void(const http::Endpoint&)> forget)
    : settings_(settings),
      metrics_(metrics),
      on_load_(std::move(on_load)),
      forget_(std::move(forget)),
      models_(metrics) {}

void RouteTable::Apply(const registry::Change& change) {
  for (const v1::ResourceKey& key : change.removed) Remove(key);
  // Whoever goes by the name, in calls and series, is the other one; so these go first.
  for (const registry::EntryPtr& entry : change.entries) {
    if (resource::HasNameConflict(*entry)) Remove(entry->key());
  }
  for (const registry::EntryPtr& entry : change.entries) {
    if (resource::HasNameConflict(*entry)) continue;
    const auto resource = resource::Resource::FromEntry(*entry);
    if (resource != nullptr) Put(entry, *resource);
  }
  {
    std::lock_guard lock(mutex_);
    registry_version_ = change.version;
  }
  synced_.store(true, std::memory_order_release);
}

void RouteTable::Put(const registry::EntryPtr& entry, const resource::Resource& resource) {
  const v1::ResourceKey& key = entry->key();
  DispatcherPtr dispatcher = Known(key);
  const bool is_new = dispatcher == nullptr;
  if (is_new) {
    dispatcher =
        std::make_shared<Dispatcher>(key, settings_.dispatcher, metrics_.For(key), on_load_);
  }
  const auto gone = dispatcher->Update(
      *entry, PolicyOf(resource, settings_.default_startup_timeout), http::Clock::now());
  for (const http::Endpoint& endpoint : gone) forget_(endpoint);
  if (key.kind() == v1::RESOURCE_KIND_MODEL) {
    models_.Put(entry, std::move(dispatcher));
  } else if (is_new) {
    std::lock_guard lock(mutex_);
    agents_.emplace(resource::ToString(key), std::move(dispatcher));
  }
  if (is_new) ForgetList();
}

DispatcherPtr RouteTable::Known(const v1::ResourceKey& key) const {
  const std::string name = resource::ToString(key);
  if (key.kind() != v1::RESOURCE_KIND_MODEL) return FindAgent(name);
  const ModelRoutePtr model = models_.Find(name);
  return model == nullptr ? nullptr : model->dispatcher;
}

void RouteTable::Remove(const v1::ResourceKey& key) {
  const DispatcherPtr dispatcher = Take(key);
  if (dispatcher == nullptr) return;
  for (const http::Endpoint& endpoint : dispatcher->Close()) forget_(endpoint);
  ForgetList();
  dispatcher->metrics().Retire();
  log::Info("removed", {{std::string(resource::KindWord(key.kind())), resource::ToString(key)}});
}

DispatcherPtr RouteTable::Take(const v1::ResourceKey& key) {
  if (key.kind() == v1::RESOURCE_KIND_MODEL) return models_.Remove(key);
  std::lock_guard lock(mutex_);
  const auto found = agents_.find(resource::ToString(key));
  if (found == agents_.end()) return nullptr;
  DispatcherPtr dispatcher = std::move(found->second);
  agents_.erase(found);
  return dispatcher;
}

DispatcherPtr RouteTable::FindAgent(std::string_view key) const {
  std::shared_lock lock(mutex_);
  const auto found = agents_.find(key);
  return found == agents_.end() ? nullptr : found->second;
}

void RouteTable::ForgetList() {
  std::shared_ptr<const Dispatchers> old;  // Goes without the lock, which each call takes.
  std::lock_guard lock(mutex_);
  old.swap(list_);
  ++comings_and_goings_;
}

auto RouteTable::List() const -> std::shared_ptr<const Dispatchers> {
  auto all = std::make_shared<Dispatchers>();
  uint64_t at = 0;
  {
    std::shared_lock lock(mutex_);
    if (list_ != nullptr) return list_;
    at = comings_and_goings_;
    all->reserve(agents_.size());
    for (const auto& [name, dispatcher] : agents_) all->push_back(dispatcher);
  }
  for (const ModelRoutePtr& model : models_.List()) all->push_back(model->dispatcher);
  // Without the lock, which each call takes.
  std::ranges::sort(*all, [](const DispatcherPtr& a, const DispatcherPtr& b) {
    return resource::KeyLess()(a->key(), b->key());
  });
  std::lock_guard lock(mutex_);
  if (at == comings_and_goings_) list_ = all;
  return all;
}

uint64_t RouteTable::registry_version() const {
  std::shared_lock lock(mutex_);
  return registry_version_;
}

}  // namespace krypton::gateway
