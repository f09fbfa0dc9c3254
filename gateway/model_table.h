// The models by the ids under which they answer: `namespace/name` always, and the bare name for the
// model that was created first among those of that name (of two created at once, the one whose
// namespace comes first). What a request finds is an immutable value; a change makes another.
//
// Put and Remove are called by the registry's thread, the rest by any.
#pragma once

#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/registry/client.h"
#include "gateway/by_name.h"
#include "gateway/dispatcher.h"
#include "gateway/metrics.h"

namespace krypton::gateway {

struct ModelRoute {
  registry::EntryPtr entry;
  DispatcherPtr dispatcher;
  // The bare name, or `namespace/name` where that belongs to another.
  std::string id;
  std::shared_ptr<ModelMetrics> metrics;
};
using ModelRoutePtr = std::shared_ptr<const ModelRoute>;

class ModelTable {
 public:
  explicit ModelTable(const GatewayMetrics& metrics) : metrics_(metrics) {}

  void Put(const registry::EntryPtr& entry, DispatcherPtr dispatcher);
  // Its dispatcher; null when it was not there.
  DispatcherPtr Remove(const v1::ResourceKey& key);

  // Null: no such model.
  ModelRoutePtr Find(std::string_view id) const;
  // The oldest first.
  std::vector<ModelRoutePtr> List() const;

 private:
  // In the order in which models have a right to a bare name.
  struct Claim {
    int64_t seconds = 0;
    int32_t nanos = 0;
    std::string name_space;
    auto operator<=>(const Claim&) const = default;
  };
  static Claim ClaimOf(const v1::RegistryEntry& entry);

  // Gives each model of the name the id that is its due.
  void Rename(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropClaim(const v1::RegistryEntry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const GatewayMetrics& metrics_;
  mutable std::shared_mutex mutex_;
  // By `namespace/name`.
  ByName<ModelRoutePtr> models_ ABSL_GUARDED_BY(mutex_);
  // By bare name.
  ByName<std::set<Claim>> claims_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::gateway
