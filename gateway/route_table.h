// The second step of a request: the dispatcher of the agent that its target names.
//
// Follows the registry: makes a dispatcher for each agent, tells it each change, closes it when the
// agent is deleted (its series go with it). Apply is called by the registry's thread; everything
// else by any thread. When the manager is gone the last table stays.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/registry/client.h"
#include "gateway/dispatcher.h"
#include "gateway/metrics.h"

namespace krypton::gateway {

class RouteTable {
 public:
  struct Settings {
    Dispatcher::Settings dispatcher;
    milliseconds default_startup_timeout{30'000};  // --default-startup-timeout
  };
  // `forget`: nobody will call this address again; its idle connections may go.
  RouteTable(Settings settings, GatewayMetrics& metrics, Dispatcher::LoadListener on_load,
             std::function<void(const http::Endpoint&)> forget);

  void Apply(const registry::Change& change);

  // `namespace/name`. Null: no such agent.
  DispatcherPtr FindAgent(std::string_view key) const;
  // Ordered by namespace and name.
  std::vector<DispatcherPtr> Agents() const;
  uint64_t registry_version() const;
  // A snapshot was applied.
  bool synced() const { return synced_.load(std::memory_order_acquire); }

  // A model's entry, as the registry has it. Its requests' routes are not this table's yet; its id
  // can be listed.
  std::vector<registry::EntryPtr> Models() const;

 private:
  // Looks up a string_view without making a string of it.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  template <class T>
  using ByName = absl::flat_hash_map<std::string, T, Hash, Equal>;

  void ApplyAgent(const v1::RegistryEntry& entry, const resource::Resource& resource);
  void Remove(const v1::ResourceKey& key);

  const Settings settings_;
  GatewayMetrics& metrics_;
  const Dispatcher::LoadListener on_load_;
  const std::function<void(const http::Endpoint&)> forget_;

  std::atomic<bool> synced_{false};
  mutable std::shared_mutex mutex_;
  ByName<DispatcherPtr> agents_ ABSL_GUARDED_BY(mutex_);
  ByName<registry::EntryPtr> models_ ABSL_GUARDED_BY(mutex_);
  uint64_t registry_version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace krypton::gateway
