#include "controlplane/catalog.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace krypton::controlplane {

Catalog::Catalog(std::string gateway_url)
    : gateway_url_(std::move(gateway_url)),
      problems_(std::make_shared<const v1::ManifestProblems>()) {}

registry::EntryPtr Catalog::WithUrl(const registry::EntryPtr& entry) const {
  if (gateway_url_.empty()) return entry;
  auto copy = std::make_shared<v1::RegistryEntry>(*entry);
  if (copy->has_model()) {
    copy->mutable_model()->mutable_status()->set_url(absl::StrCat(gateway_url_, "/v1"));
  } else {
    copy->mutable_agent()->mutable_status()->set_url(
        absl::StrCat(gateway_url_, "/v1/agents/", resource::ToString(entry->key())));
  }
  return copy;
}

registry::Change Catalog::Apply(registry::Change change) {
  for (registry::EntryPtr& entry : change.entries) entry = WithUrl(entry);
  const std::lock_guard lock(mutex_);
  for (const v1::ResourceKey& key : change.removed) entries_.erase(key);
  for (const registry::EntryPtr& entry : change.entries) entries_[entry->key()] = entry;
  if (change.problems != nullptr) problems_ = change.problems;
  if (!change.removed.empty() || !change.entries.empty()) {
    for (Entries& cached : cached_) cached.reset();
  }
  return change;
}

Entries Catalog::Select(v1::ResourceKind kind) const {
  const std::lock_guard lock(mutex_);
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
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second;
}

Problems Catalog::problems() const {
  const std::lock_guard lock(mutex_);
  return problems_;
}

}  // namespace krypton::controlplane
