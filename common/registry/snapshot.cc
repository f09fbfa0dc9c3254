#include "common/registry/snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace krypton::registry {
namespace {

const char* KindText(v1::ResourceKind kind) {
  switch (kind) {
    case v1::RESOURCE_KIND_AGENT:
      return "agent";
    case v1::RESOURCE_KIND_MODEL:
      return "model";
    default:
      return "unspecified";
  }
}

}  // namespace

std::string KeyText(const v1::ResourceKey& key) {
  return absl::StrCat(KindText(key.kind()), "/", key.namespace_(), "/", key.name());
}

std::optional<Change> Snapshot::Apply(v1::WatchResponse message) {
  Collect(message);
  if (!message.last_chunk()) return std::nullopt;
  return Commit(std::move(*message.mutable_epoch()), message.version());
}

void Snapshot::Collect(v1::WatchResponse& message) {
  pending_.full |= message.full();
  for (v1::ResourceKey& key : *message.mutable_removed()) {
    std::string text = KeyText(key);
    pending_.entries.erase(text);
    pending_.removed.insert_or_assign(std::move(text), std::move(key));
  }
  for (v1::RegistryEntry& entry : *message.mutable_entries()) {
    std::string text = KeyText(entry.key());
    pending_.removed.erase(text);
    pending_.entries.insert_or_assign(std::move(text),
                                      std::make_shared<const v1::RegistryEntry>(std::move(entry)));
  }
  if (message.has_problems()) {
    pending_.problems =
        std::make_shared<const v1::ManifestProblems>(std::move(*message.mutable_problems()));
  }
  if (message.term() != 0) {
    pending_.leader_address = std::move(*message.mutable_leader_address());
    pending_.term = message.term();
  }
}

Change Snapshot::Commit(std::string epoch, uint64_t version) {
  Pending pending = std::exchange(pending_, {});
  if (pending.full) {
    pending.removed.clear();
    for (const auto& [text, entry] : entries_) {
      if (!pending.entries.contains(text)) pending.removed.emplace(text, entry->key());
    }
  }
  Change change;
  change.full = pending.full;
  change.epoch = epoch_ = std::move(epoch);
  change.version = version_ = version;
  change.problems = std::move(pending.problems);
  change.leader_address = std::move(pending.leader_address);
  change.term = pending.term;
  for (auto& [text, key] : pending.removed) {
    if (entries_.erase(text) > 0) change.removed.push_back(std::move(key));
  }
  change.entries.reserve(pending.entries.size());
  for (auto& [text, entry] : pending.entries) {
    change.entries.push_back(entry);
    entries_.insert_or_assign(text, std::move(entry));
  }
  return change;
}

}  // namespace krypton::registry
