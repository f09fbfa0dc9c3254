#include "manager/registry/store.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "manager/registry/well_formed.h"

namespace krypton::manager {
namespace {

std::string RandomEpoch() {
  std::random_device device;
  return absl::StrFormat("%08x%08x", device(), device());
}

bool SameButVersion(const v1::RegistryEntry& before, v1::RegistryEntry& after) {
  after.set_version(before.version());
  return google::protobuf::util::MessageDifferencer::Equals(before, after);
}

}  // namespace

struct RegistryStore::Chunk {
  std::vector<EntryPtr> entries;
  std::vector<v1::ResourceKey> removed;
  size_t bytes = 0;
  // Of the last slot in it; of the store, when it is the last chunk.
  uint64_t version = 0;
  bool last = true;
};

RegistryStore::RegistryStore(StoreSettings settings) : settings_(settings), epoch_(RandomEpoch()) {}

uint64_t RegistryStore::version() const {
  std::shared_lock lock(mutex_);
  return version_;
}

size_t RegistryStore::watchers() const {
  std::lock_guard lock(listeners_mutex_);
  return all_listeners_.size() + key_watchers_;
}

void RegistryStore::SetLeader(std::string address, uint64_t term) {
  {
    std::unique_lock lock(mutex_);
    if (address == leader_address_ && term == term_) return;
    leader_address_ = std::move(address);
    term_ = term;
    leader_version_ = ++version_;
  }
  Notify(nullptr);
}

void RegistryStore::SetSynced() {
  {
    std::unique_lock lock(mutex_);
    synced_ = true;
  }
  Notify(nullptr);
}

bool RegistryStore::synced() const {
  std::shared_lock lock(mutex_);
  return synced_;
}

void RegistryStore::Move(const v1::ResourceKey& key, Slot& slot) {
  if (slot.version != 0) order_.erase(slot.version);
  slot.version = ++version_;
  order_.emplace_hint(order_.end(), slot.version, key);
}

void RegistryStore::Put(v1::RegistryEntry entry) {
  MakeUtf8(entry);
  const v1::ResourceKey key = entry.key();
  {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[key];
    if (slot.entry != nullptr && SameButVersion(*slot.entry, entry)) return;
    if (slot.entry == nullptr) tombstones_.erase(slot.version);
    Move(key, slot);
    entry.set_version(slot.version);
    slot.bytes = entry.ByteSizeLong() + 8;
    slot.entry = std::make_shared<const v1::RegistryEntry>(std::move(entry));
    sorted_[key] = slot.entry;
  }
  Notify(&key);
}

void RegistryStore::Remove(const v1::ResourceKey& key) {
  {
    std::unique_lock lock(mutex_);
    const auto found = slots_.find(key);
    if (found == slots_.end() || found->second.entry == nullptr) return;
    Slot& slot = found->second;
    Move(key, slot);
    slot.entry = nullptr;
    slot.bytes = key.ByteSizeLong() + 8;
    sorted_.erase(key);
    tombstones_.emplace_hint(tombstones_.end(), slot.version, key);
    ForgetTombstones();
  }
  Notify(&key);
}

void RegistryStore::ForgetTombstones() {
  while (tombstones_.size() > settings_.max_tombstones) {
    const auto oldest = tombstones_.begin();
    oldest_resumable_ = oldest->first;
    order_.erase(oldest->first);
    slots_.erase(oldest->second);
    tombstones_.erase(oldest);
  }
}

void RegistryStore::SetProblems(const std::vector<v1::ManifestProblem>& problems) {
  v1::ManifestProblems told = MakeProblems(problems, settings_.max_problems_bytes);
  {
    std::unique_lock lock(mutex_);
    if (google::protobuf::util::MessageDifferencer::Equals(told, problems_)) return;
    problems_ = std::move(told);
    problems_bytes_ = problems_.ByteSizeLong() + 8;
    problems_version_ = ++version_;
  }
  Notify(nullptr);
}

EntryPtr RegistryStore::Find(const v1::ResourceKey& key) const {
  std::shared_lock lock(mutex_);
  const auto found = slots_.find(key);
  return found == slots_.end() ? nullptr : found->second.entry;
}

size_t RegistryStore::List(const std::string& name_space, size_t offset, size_t limit,
                           std::vector<EntryPtr>* entries) const {
  std::shared_lock lock(mutex_);
  size_t matching = 0;
  const auto take = [&](const EntryPtr& entry) {
    if (matching >= offset && entries->size() < limit) entries->push_back(entry);
    ++matching;
  };
  if (name_space.empty()) {
    if (offset >= sorted_.size()) return sorted_.size();
    auto position = std::next(sorted_.begin(), static_cast<std::ptrdiff_t>(offset));
    for (; position != sorted_.end() && entries->size() < limit; ++position) {
      entries->push_back(position->second);
    }
    return sorted_.size();
  }
  for (const v1::ResourceKind kind : {v1::RESOURCE_KIND_AGENT, v1::RESOURCE_KIND_MODEL}) {
    v1::ResourceKey first;
    first.set_kind(kind);
    first.set_namespace_(name_space);
    for (auto position = sorted_.lower_bound(first);
         position != sorted_.end() && position->first.kind() == kind &&
         position->first.namespace_() == name_space;
         ++position) {
      take(position->second);
    }
  }
  return matching;
}

v1::ManifestProblems RegistryStore::problems() const {
  std::shared_lock lock(mutex_);
  return problems_;
}

uint64_t RegistryStore::term() const {
  std::shared_lock lock(mutex_);
  return term_;
}

Cursor RegistryStore::Resume(const std::string& epoch, uint64_t version) const {
  std::shared_lock lock(mutex_);
  Cursor cursor;
  if (epoch == epoch_ && version >= oldest_resumable_ && version <= version_ && version > 0) {
    cursor.version = version;
    cursor.full = false;
  }
  return cursor;
}

bool RegistryStore::ProblemsPend(const Cursor& cursor) const {
  return cursor.full || cursor.version < problems_version_;
}

bool RegistryStore::IsExpired(const std::vector<v1::ResourceKey>& keys,
                              const Cursor& cursor) const {
  // What still has its slot was not forgotten.
  const bool all_known =
      !keys.empty() && std::all_of(keys.begin(), keys.end(), [this](const v1::ResourceKey& key) {
        return slots_.contains(key);
      });
  if (all_known) return false;
  // A snapshot goes through old versions; it misses what is forgotten after it has begun.
  return (cursor.full ? cursor.snapshot_start : cursor.version) < oldest_resumable_;
}

bool RegistryStore::AddTo(Chunk& chunk, const v1::ResourceKey& key, const Slot& slot,
                          const Cursor& cursor) const {
  // A full snapshot need not say what was gone before it began.
  if (slot.entry == nullptr && cursor.full && slot.version <= cursor.snapshot_start) return true;
  // Any chunk may turn out to be the one that takes the problems along.
  const size_t reserved = ProblemsPend(cursor) ? problems_bytes_ : 0;
  if (chunk.bytes > 0 && chunk.bytes + slot.bytes + reserved > settings_.max_chunk_bytes) {
    chunk.last = false;
    return false;
  }
  chunk.bytes += slot.bytes;
  chunk.version = slot.version;
  if (slot.entry != nullptr) {
    chunk.entries.push_back(slot.entry);
  } else {
    chunk.removed.push_back(key);
  }
  return true;
}

RegistryStore::Chunk RegistryStore::Gather(const std::vector<v1::ResourceKey>& keys,
                                           const Cursor& cursor) const {
  Chunk chunk;
  if (keys.empty()) {
    for (auto next = order_.upper_bound(cursor.version); next != order_.end(); ++next) {
      if (!AddTo(chunk, next->second, slots_.at(next->second), cursor)) break;
    }
  } else {
    std::vector<std::pair<uint64_t, const v1::ResourceKey*>> changed;
    for (const v1::ResourceKey& key : keys) {
      const auto found = slots_.find(key);
      if (found == slots_.end() || found->second.version <= cursor.version) continue;
      changed.emplace_back(found->second.version, &found->first);
    }
    std::sort(changed.begin(), changed.end());
    for (const auto& [version, key] : changed) {
      if (!AddTo(chunk, *key, slots_.at(*key), cursor)) break;
    }
  }
  if (chunk.last) chunk.version = version_;
  return chunk;
}

bool RegistryStore::Next(const std::vector<v1::ResourceKey>& keys, Cursor& cursor,
                         v1::WatchResponse* response) const {
  Chunk chunk;
  {
    std::shared_lock lock(mutex_);
    if (cursor.full && cursor.version == 0) cursor.snapshot_start = version_;
    cursor.expired = IsExpired(keys, cursor);
    if (cursor.expired) return false;
    chunk = Gather(keys, cursor);
    // With the chunk that moves the cursor over them; with the last one of a snapshot.
    const bool problems_due =
        ProblemsPend(cursor) && (cursor.full ? chunk.last : problems_version_ <= chunk.version);
    const bool leader_due = cursor.version < leader_version_;
    if (chunk.entries.empty() && chunk.removed.empty() && !problems_due && !leader_due &&
        !cursor.full && !cursor.greeting) {
      cursor.version = chunk.version;
      return false;
    }
    if (problems_due) *response->mutable_problems() = problems_;
    response->set_leader_address(leader_address_);
    response->set_term(term_);
  }
  response->set_epoch(epoch_);
  response->set_version(chunk.version);
  response->set_full(cursor.full);
  response->set_last_chunk(chunk.last);
  for (const EntryPtr& entry : chunk.entries) *response->add_entries() = *entry;
  for (v1::ResourceKey& key : chunk.removed) *response->add_removed() = std::move(key);
  cursor.version = chunk.version;
  cursor.greeting = false;
  if (chunk.last) cursor.full = false;
  return true;
}

void RegistryStore::Subscribe(const std::vector<v1::ResourceKey>& keys, StoreListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  if (keys.empty()) {
    all_listeners_.insert(listener);
    return;
  }
  ++key_watchers_;
  for (const v1::ResourceKey& key : keys) key_listeners_[key].insert(listener);
}

void RegistryStore::Unsubscribe(const std::vector<v1::ResourceKey>& keys, StoreListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  if (keys.empty()) {
    all_listeners_.erase(listener);
    return;
  }
  --key_watchers_;
  for (const v1::ResourceKey& key : keys) {
    const auto found = key_listeners_.find(key);
    if (found == key_listeners_.end()) continue;
    found->second.erase(listener);
    if (found->second.empty()) key_listeners_.erase(found);
  }
}

void RegistryStore::Notify(const v1::ResourceKey* key) {
  std::lock_guard lock(listeners_mutex_);
  for (StoreListener* listener : all_listeners_) listener->OnStoreChange();
  if (key == nullptr) {
    absl::flat_hash_set<StoreListener*> told;
    for (const auto& [watched, listeners] : key_listeners_) {
      told.insert(listeners.begin(), listeners.end());
    }
    for (StoreListener* listener : told) listener->OnStoreChange();
  } else if (const auto found = key_listeners_.find(*key); found != key_listeners_.end()) {
    for (StoreListener* listener : found->second) listener->OnStoreChange();
  }
}

}  // namespace krypton::manager
