#include "gateway/model_table.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "common/resource/key.h"

namespace krypton::gateway {

ModelTable::Claim ModelTable::ClaimOf(const v1::RegistryEntry& entry) {
  const auto& created = entry.model().metadata().creation_timestamp();
  return {created.seconds(), created.nanos(), entry.key().namespace_()};
}

void ModelTable::Put(const registry::EntryPtr& entry, DispatcherPtr dispatcher) {
  std::lock_guard lock(mutex_);
  ModelRoutePtr& known = models_[resource::ToString(entry->key())];
  auto route = std::make_shared<ModelRoute>();
  if (known != nullptr) {
    DropClaim(*known->entry);
    route->id = known->id;
    route->metrics = known->metrics;
  }
  route->entry = entry;
  route->dispatcher = std::move(dispatcher);
  known = std::move(route);
  claims_[entry->key().name()].insert(ClaimOf(*entry));
  Rename(entry->key().name());
}

DispatcherPtr ModelTable::Remove(const v1::ResourceKey& key) {
  std::lock_guard lock(mutex_);
  const auto found = models_.find(resource::ToString(key));
  if (found == models_.end()) return nullptr;
  const ModelRoutePtr gone = std::move(found->second);
  models_.erase(found);
  DropClaim(*gone->entry);
  gone->metrics->Retire();
  Rename(key.name());
  return gone->dispatcher;
}

void ModelTable::DropClaim(const v1::RegistryEntry& entry) {
  const auto found = claims_.find(entry.key().name());
  found->second.erase(ClaimOf(entry));
  if (found->second.empty()) claims_.erase(found);
}

// Series of an id that changes hands end before those of its new holder begin.
void ModelTable::Rename(const std::string& name) {
  const auto found = claims_.find(name);
  if (found == claims_.end()) return;
  std::vector<std::pair<ModelRoutePtr*, std::string>> renamed;
  for (const Claim& claim : found->second) {
    const std::string full = claim.name_space + "/" + name;
    const std::string& id = claim == *found->second.begin() ? name : full;
    ModelRoutePtr& route = models_.find(full)->second;
    if (route->id == id) continue;
    if (route->metrics != nullptr) route->metrics->Retire();
    renamed.emplace_back(&route, id);
  }
  for (auto& [route, id] : renamed) {
    auto changed = std::make_shared<ModelRoute>(**route);
    changed->metrics = metrics_.ForModel(id);
    changed->id = std::move(id);
    *route = std::move(changed);
  }
}

ModelRoutePtr ModelTable::Find(std::string_view id) const {
  std::shared_lock lock(mutex_);
  if (id.find('/') == id.npos) {
    const auto claims = claims_.find(id);
    if (claims == claims_.end()) return nullptr;
    const std::string full = claims->second.begin()->name_space + "/" + std::string(id);
    return models_.find(full)->second;
  }
  const auto found = models_.find(id);
  return found == models_.end() ? nullptr : found->second;
}

std::vector<ModelRoutePtr> ModelTable::List() const {
  std::vector<ModelRoutePtr> models;
  {
    std::shared_lock lock(mutex_);
    models.reserve(models_.size());
    for (const auto& [name, route] : models_) models.push_back(route);
  }
  std::ranges::sort(models, [](const ModelRoutePtr& a, const ModelRoutePtr& b) {
    const Claim left = ClaimOf(*a->entry);
    const Claim right = ClaimOf(*b->entry);
    if (left != right) return left < right;
    return a->entry->key().name() < b->entry->key().name();
  });
  return models;
}

}  // namespace krypton::gateway
