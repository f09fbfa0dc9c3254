#include "controlplane/watch_queue.h"

#include <google/protobuf/util/message_differencer.h>

#include <utility>

namespace krypton::controlplane {
namespace {

// A watch shows the resource; endpoints that come and go show in its status.
bool SameResource(const v1::RegistryEntry& a, const v1::RegistryEntry& b) {
  using google::protobuf::util::MessageDifferencer;
  return MessageDifferencer::Equals(a.agent(), b.agent()) &&
         MessageDifferencer::Equals(a.model(), b.model());
}

}  // namespace

bool WatchFilter::Admits(const v1::ResourceKey& key) const {
  return key.kind() == kind && (name_space.empty() || key.namespace_() == name_space) &&
         (name.empty() || key.name() == name);
}

WatchQueue::WatchQueue(WatchFilter filter, const std::vector<registry::EntryPtr>& present)
    : filter_(std::move(filter)) {
  for (const registry::EntryPtr& entry : present) Put(entry->key(), entry);
}

void WatchQueue::Put(const v1::ResourceKey& key, registry::EntryPtr entry) {
  if (!filter_.Admits(key)) return;
  const auto [place, is_new] = pending_.insert_or_assign(key, std::move(entry));
  if (is_new) order_.push_back(key);
}

void WatchQueue::Apply(const registry::Change& change) {
  for (const v1::ResourceKey& key : change.removed) Put(key, nullptr);
  for (const registry::EntryPtr& entry : change.entries) Put(entry->key(), entry);
}

std::optional<WatchEvent> WatchQueue::Next() {
  while (!order_.empty()) {
    const v1::ResourceKey key = std::move(order_.front());
    order_.pop_front();
    const auto place = pending_.find(key);
    const registry::EntryPtr entry = std::move(place->second);
    pending_.erase(place);
    const auto told = told_.find(key);
    if (told == told_.end()) {
      if (entry == nullptr) continue;  // Came and went unseen.
      told_[key] = entry;
      return WatchEvent{v1::CHANGE_TYPE_ADDED, entry};
    }
    if (entry == nullptr) {
      WatchEvent event{v1::CHANGE_TYPE_DELETED, std::move(told->second)};
      told_.erase(told);
      return event;
    }
    if (SameResource(*told->second, *entry)) continue;
    told->second = entry;
    return WatchEvent{v1::CHANGE_TYPE_MODIFIED, entry};
  }
  if (!std::exchange(synced_, true)) return WatchEvent{v1::CHANGE_TYPE_SYNCED, nullptr};
  return std::nullopt;
}

}  // namespace krypton::controlplane
