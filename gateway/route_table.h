// The second step of a request: the dispatcher of the agent that its target names, or of the model
// that its body names (model_table.h).
//
// Follows the registry: makes a dispatcher for each agent and model, tells it each change, closes
// it when the resource is deleted (its series go with it). Apply is called by the registry's
// thread; everything else by any thread. When the manager is gone the last table stays.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/registry/client.h"
#include "gateway/by_name.h"
#include "gateway/dispatcher.h"
#include "gateway/metrics.h"
#include "gateway/model_table.h"

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
  const ModelTable& models() const { return models_; }
  using Dispatchers = std::vector<DispatcherPtr>;
  // Of all agents, then of all models; ordered by namespace and name. Never null; made anew only
  // after one has come or gone.
  std::shared_ptr<const Dispatchers> List() const;
  uint64_t registry_version() const;
  // A snapshot was applied.
  bool synced() const { return synced_.load(std::memory_order_acquire); }

 private:
  void Put(const registry::EntryPtr& entry, const resource::Resource& resource);
  DispatcherPtr Known(const v1::ResourceKey& key) const;
  // Takes it out of its table; null when it was not there.
  DispatcherPtr Take(const v1::ResourceKey& key);
  void ForgetList();
  void Remove(const v1::ResourceKey& key);

  const Settings settings_;
  GatewayMetrics& metrics_;
  const Dispatcher::LoadListener on_load_;
  const std::function<void(const http::Endpoint&)> forget_;

  ModelTable models_;
  std::atomic<bool> synced_{false};
  mutable std::shared_mutex mutex_;
  ByName<DispatcherPtr> agents_ ABSL_GUARDED_BY(mutex_);
  uint64_t registry_version_ ABSL_GUARDED_BY(mutex_) = 0;
  // Null after a dispatcher has come or gone, which `comings_and_goings_` counts.
  mutable std::shared_ptr<const Dispatchers> list_ ABSL_GUARDED_BY(mutex_);
  uint64_t comings_and_goings_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace krypton::gateway
