// What the control plane knows of the mesh: the registry's copy, in an order that listings can use.
// The registry's thread applies changes; any thread reads. Readers get immutable snapshots, so no
// call waits for another, and what a caller holds does not change under it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "common/registry/client.h"
#include "common/resource/key.h"

namespace krypton::controlplane {

// Ordered by namespace and name.
using Entries = std::shared_ptr<const std::vector<registry::EntryPtr>>;
using Problems = std::shared_ptr<const v1::ManifestProblems>;

class Catalog {
 public:
  // `gateway_url`, if not empty, is where users call: `status.url` says so, whatever the manager
  // thinks.
  explicit Catalog(std::string gateway_url = "");

  // The change as the catalog took it: with its own URLs.
  registry::Change Apply(registry::Change change);

  Entries Agents() const;
  Entries Models() const;
  // Agents and models.
  Entries All() const;
  // Null: not there.
  registry::EntryPtr Find(const v1::ResourceKey& key) const;
  // Never null.
  Problems problems() const;

 private:
  using Ordered = absl::btree_map<v1::ResourceKey, registry::EntryPtr, resource::KeyLess>;

  // Of all entries, or of one kind. Made at the first read after a change.
  Entries Select(v1::ResourceKind kind) const;

  registry::EntryPtr WithUrl(const registry::EntryPtr& entry) const;

  const std::string gateway_url_;
  mutable std::mutex mutex_;
  Ordered entries_ ABSL_GUARDED_BY(mutex_);
  Problems problems_ ABSL_GUARDED_BY(mutex_);
  // By kind; unspecified: all.
  mutable Entries cached_[3] ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::controlplane
