// What one watcher has yet to hear. Changes of one resource that come faster than the watcher reads
// are folded into one, so a queue never holds more than one item a resource, however slow its
// reader. Pure; owned by one watcher.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "common/registry/client.h"
#include "common/resource/key.h"
#include "krypton/v1/control_plane.pb.h"

namespace krypton::controlplane {

// Which resources a watcher wants.
struct WatchFilter {
  v1::ResourceKind kind;
  // Empty: all.
  std::string name_space;
  std::string name;

  bool Admits(const v1::ResourceKey& key) const;
};

struct WatchEvent {
  v1::ChangeType type;
  // Null with CHANGE_TYPE_SYNCED; with CHANGE_TYPE_DELETED as it was last.
  registry::EntryPtr entry;
};

class WatchQueue {
 public:
  // `present` is all that there is when the watch begins.
  WatchQueue(WatchFilter filter, const std::vector<registry::EntryPtr>& present);

  void Apply(const registry::Change& change);

  // What to tell next; nullopt: nothing now. After all that was present comes CHANGE_TYPE_SYNCED,
  // once.
  std::optional<WatchEvent> Next();

  size_t size() const { return order_.size(); }

 private:
  void Put(const v1::ResourceKey& key, registry::EntryPtr entry);

  const WatchFilter filter_;
  // What the watcher knows, as it was told.
  resource::KeyMap<registry::EntryPtr> told_;
  // What is to be told (null: deleted), and in which order.
  resource::KeyMap<registry::EntryPtr> pending_;
  std::deque<v1::ResourceKey> order_;
  bool synced_ = false;
};

}  // namespace krypton::controlplane
