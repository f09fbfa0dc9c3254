// What the registry client does with the messages of one stream: collects the chunks of a snapshot
// or delta, and turns the whole into a Change against the copy it keeps. Pure: no thread, no clock.
#pragma once

#include <optional>
#include <string>

#include "common/registry/client.h"
#include "common/resource/key.h"
#include "krypton/v1/registry.pb.h"

namespace krypton::registry {

// The copy of the registry. Owned by one thread.
class Snapshot {
 public:
  // Takes the next message of the stream. A Change once it was the last chunk; nullopt before.
  std::optional<Change> Apply(v1::WatchResponse message);
  // The stream ended: the chunks that were not yet whole are forgotten.
  void DropPending() { pending_ = {}; }

  const resource::KeyMap<EntryPtr>& entries() const { return entries_; }
  const std::string& epoch() const { return epoch_; }
  uint64_t version() const { return version_; }

 private:
  struct Pending {
    bool full = false;
    resource::KeyMap<EntryPtr> entries;
    resource::KeySet removed;
    std::shared_ptr<const v1::ManifestProblems> problems;
    std::string leader_address;
    uint64_t term = 0;
  };

  void Collect(v1::WatchResponse& message);
  Change Commit(std::string epoch, uint64_t version);

  resource::KeyMap<EntryPtr> entries_;
  std::string epoch_;
  uint64_t version_ = 0;
  Pending pending_;
};

}  // namespace krypton::registry
