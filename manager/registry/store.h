// The registry's state: all entries by key, each with the version at which it changed last, and the
// same entries in the order of these versions. A watcher is therefore nothing but a version: what
// it has not seen is what lies behind it in that order. A slow watcher skips what was overtaken
// meanwhile and costs no memory, and one change costs nothing that grows with the entries.
//
// What was removed stays as a tombstone; only the newest ones are kept, and who has seen less than
// the oldest forgotten one gets a full snapshot.
//
// Thread-safe. Listeners are called after a change, outside the store's lock, by the thread that
// made the change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/resource/key.h"
#include "krypton/v1/registry.pb.h"

namespace krypton::manager {

using EntryPtr = std::shared_ptr<const v1::RegistryEntry>;

struct StoreSettings {
  // Entries of one message. WatchResponse promises 1 MiB; the rest is for the fields around them.
  size_t max_chunk_bytes = (1 << 20) - (16 << 10);
  // All refused manifests together, as they are told.
  size_t max_problems_bytes = 256 << 10;
  // Removed keys that are remembered, for watchers that come back.
  size_t max_tombstones = 10'000;
};

// Where a watcher stands. Made by Resume, moved by Next.
struct Cursor {
  // What it has seen: everything up to here.
  uint64_t version = 0;
  // A full snapshot is under way; cleared with its last chunk.
  bool full = true;
  // The store's version at the first chunk of the snapshot under way: what was removed up to here
  // was never sent within it.
  uint64_t snapshot_start = 0;
  // The first message is due, even if it says nothing.
  bool greeting = true;
  // Set by Next: removals behind it were forgotten before they were sent. Only Resume helps.
  bool expired = false;
};

class StoreListener {
 public:
  virtual ~StoreListener() = default;
  // Something the listener watches lies behind its cursor. Must not call the store's Subscribe or
  // Unsubscribe.
  virtual void OnStoreChange() = 0;
};

class RegistryStore {
 public:
  // The epoch is random, so that no two stores are taken for one.
  explicit RegistryStore(StoreSettings settings = {});

  const std::string& epoch() const { return epoch_; }
  uint64_t version() const;
  size_t watchers() const;

  // Who leads; part of every message. A change of it is a message of its own.
  void SetLeader(std::string address, uint64_t term);
  // The store holds the whole registry: watchers are served from now on.
  void SetSynced();
  bool synced() const;

  // Sets `entry.version`. An entry that says the same as before changes nothing. Here and below,
  // text becomes well-formed UTF-8.
  void Put(v1::RegistryEntry entry);
  void Remove(const v1::ResourceKey& key);
  // As many as fit; the last one says how many more there are.
  void SetProblems(const std::vector<v1::ManifestProblem>& problems);

  EntryPtr Find(const v1::ResourceKey& key) const;
  // By kind, namespace, name; entry `offset` and up to `limit` ones of the namespace (empty: all).
  // Returns how many there are in all.
  size_t List(const std::string& name_space, size_t offset, size_t limit,
              std::vector<EntryPtr>* entries) const;
  v1::ManifestProblems problems() const;
  uint64_t term() const;

  // Where a client that has seen `version` of `epoch` goes on.
  Cursor Resume(const std::string& epoch, uint64_t version) const;
  // The next message behind `cursor`, for the keys (empty: all), and moves the cursor over it;
  // false when there is nothing, or when the cursor has expired. The last message of a snapshot
  // or delta has `last_chunk`. Requires: synced.
  bool Next(const std::vector<v1::ResourceKey>& keys, Cursor& cursor,
            v1::WatchResponse* response) const;

  // `listener` hears of changes of the keys (empty: of all) until Unsubscribe has returned.
  void Subscribe(const std::vector<v1::ResourceKey>& keys, StoreListener* listener);
  void Unsubscribe(const std::vector<v1::ResourceKey>& keys, StoreListener* listener);

 private:
  struct Slot {
    EntryPtr entry;  // Null: a tombstone.
    uint64_t version = 0;
    size_t bytes = 0;
  };
  // What one message will carry, gathered under the lock and copied outside of it.
  struct Chunk;

  void Move(const v1::ResourceKey& key, Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetTombstones() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The cursor has not passed them yet.
  bool ProblemsPend(const Cursor& cursor) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsExpired(const std::vector<v1::ResourceKey>& keys, const Cursor& cursor) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // False: the chunk is full, and the slot not in it.
  bool AddTo(Chunk& chunk, const v1::ResourceKey& key, const Slot& slot, const Cursor& cursor) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Chunk Gather(const std::vector<v1::ResourceKey>& keys, const Cursor& cursor) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // `key` null: everybody is told.
  void Notify(const v1::ResourceKey* key);

  const StoreSettings settings_;
  const std::string epoch_;

  mutable std::shared_mutex mutex_;
  bool synced_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string leader_address_ ABSL_GUARDED_BY(mutex_);
  uint64_t term_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t leader_version_ ABSL_GUARDED_BY(mutex_) = 0;
  resource::KeyMap<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  // Every slot once, at its version.
  std::map<uint64_t, v1::ResourceKey> order_ ABSL_GUARDED_BY(mutex_);
  // The keys that are there, for List.
  std::map<v1::ResourceKey, EntryPtr, resource::KeyLess> sorted_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, v1::ResourceKey> tombstones_ ABSL_GUARDED_BY(mutex_);
  // Who has seen less than this gets everything.
  uint64_t oldest_resumable_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::ManifestProblems problems_ ABSL_GUARDED_BY(mutex_);
  size_t problems_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t problems_version_ ABSL_GUARDED_BY(mutex_) = 0;

  // Held while listeners are called, so that Unsubscribe waits for them; never together with
  // mutex_ taken first.
  mutable std::mutex listeners_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  absl::flat_hash_set<StoreListener*> all_listeners_ ABSL_GUARDED_BY(listeners_mutex_);
  resource::KeyMap<absl::flat_hash_set<StoreListener*>> key_listeners_
      ABSL_GUARDED_BY(listeners_mutex_);
  size_t key_watchers_ ABSL_GUARDED_BY(listeners_mutex_) = 0;
};

}  // namespace krypton::manager
