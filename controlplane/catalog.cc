#include "controlplane/catalog.h"

#include <algorithm>

namespace krypton::controlplane {

Catalog::Catalog() : problems_(std::make_shared<const v1::ManifestProblems>()) {}

void Catalog::Apply(const registry::Change& change) {
  const absl::MutexLock lock(&mutex_);
  for (const v1::ResourceKey& key : change.removed) entries_.erase(key);
  for (const registry::EntryPtr& entry : change.entries) entries_[entry->key()] = entry;
  if (change.problems != nullptr) problems_ = change.problems;
  if (!change.removed.empty() || !change.entries.empty()) {
    for (Entries& cached : cached_) cached.reset();
  }
}

Entries Catalog::Select(v1::ResourceKind kind) const {
  const absl::MutexLock lock(&mutex_);
  Entries& cached = cached_[kind];
  if (cached == nullptr) {
    auto selected = std::make_shared<std::vector<registry::EntryPtr>>();
    for (const auto& [key, entry] : entries_) {
      if (kind == v1::RESOURCE_KIND_UNSPECIFIED || key.kind() == kind) selected->push_back(entry);
    }
    cached = std::move(selected);
  }
  return cached;
}

Entries Catalog::Agents() const { return Select(v1::RESOURCE_KIND_AGENT); }
Entries Catalog::Models() const { return Select(v1::RESOURCE_KIND_MODEL); }
Entries Catalog::All() const { return Select(v1::RESOURCE_KIND_UNSPECIFIED); }

registry::EntryPtr Catalog::Find(const v1::ResourceKey& key) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second;
}

Problems Catalog::problems() const {
  const absl::MutexLock lock(&mutex_);
  return problems_;
}

}  // namespace krypton::controlplane
