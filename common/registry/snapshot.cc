#include "common/registry/snapshot.h"

#include <utility>

namespace krypton::registry {

std::optional<Change> Snapshot::Apply(v1::WatchResponse message) {
  Collect(message);
  if (!message.last_chunk()) return std::nullopt;
  return Commit(std::move(*message.mutable_epoch()), message.version());
}

void Snapshot::Collect(v1::WatchResponse& message) {
  pending_.full |= message.full();
  for (v1::ResourceKey& key : *message.mutable_removed()) {
    pending_.entries.erase(key);
    pending_.removed.insert(std::move(key));
  }
  for (v1::RegistryEntry& entry : *message.mutable_entries()) {
    pending_.removed.erase(entry.key());
    v1::ResourceKey key = entry.key();
    pending_.entries.insert_or_assign(std::move(key),
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
    for (const auto& [key, entry] : entries_) {
      if (!pending.entries.contains(key)) pending.removed.insert(key);
    }
  }
  Change change;
  change.full = pending.full;
  change.epoch = epoch_ = std::move(epoch);
  change.version = version_ = version;
  change.problems = std::move(pending.problems);
  change.leader_address = std::move(pending.leader_address);
  change.term = pending.term;
  for (const v1::ResourceKey& key : pending.removed) {
    if (entries_.erase(key) > 0) change.removed.push_back(key);
  }
  change.entries.reserve(pending.entries.size());
  for (auto& [key, entry] : pending.entries) {
    change.entries.push_back(entry);
    entries_.insert_or_assign(key, std::move(entry));
  }
  return change;
}

}  // namespace krypton::registry
