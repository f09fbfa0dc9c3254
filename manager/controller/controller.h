// The reconciler: merges what the platform, the sidecars and the scaler say of each resource into
// its registry entry, and tells the platform how many replicas to run. Level-based: each call
// brings one source up to date and publishes the entry that follows from all of them.
//
// Thread-safe; one lock. With it held it calls the platform (which only notes the wish) and the
// store (which tells its watchers); neither calls back. When a call returns, the registry says it.
//
// Only a manager that leads decides: it takes decisions, tells the platform how many replicas to
// run, and hands it the status to write. One that follows serves what the platform says of the
// resources, of their replicas, and of the status that the leader wrote.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "manager/clock.h"
#include "manager/controller/metrics.h"
#include "manager/controller/resource_state.h"
#include "manager/leadership.h"
#include "manager/load/load_listener.h"
#include "manager/platform/platform.h"
#include "manager/registry/store.h"

namespace krypton::manager {

struct ControllerSettings {
  std::string gateway_url = "http://127.0.0.1:8080";
  // Told of every change of the leadership, after the registry and the platform were; it may take
  // its time, but must not wait for the platform.
  std::function<void(const Leadership::View&)> on_leadership;
  // Without a scaler everything runs at max(minReplicas, 1).
  bool scaler_enabled = true;
  // How often lastInvocationAt alone changes a registry entry.
  std::chrono::milliseconds invocation_interval{60'000};
  // Reports of sidecars that the platform has not named yet.
  size_t max_early_reports = 10'000;
};

class Controller : public platform::PlatformListener, public LoadListener {
 public:
  Controller(ControllerSettings settings, Clock clock, RegistryStore& store, Leadership& leadership,
             prometheus::Registry& metrics);
  ~Controller() override;

  // Which platform runs the replicas: before its Start, once. It outlives the last call of this.
  void SetPlatform(platform::Platform& platform);

  // From the platform.
  void OnLeadership(bool leader, uint64_t term, std::string leader_address) override;
  void OnResource(std::shared_ptr<const resource::Resource> resource) override;
  void OnResourceDeleted(const v1::ResourceKey& key) override;
  void OnReplicas(const v1::ResourceKey& key, std::vector<platform::Replica> replicas) override;
  void OnTrouble(const v1::ResourceKey& key, std::string trouble) override;
  void OnManifestProblems(std::vector<v1::ManifestProblem> problems) override;
  void OnSynced() override;

  // From the sidecars.
  void OnLoad(const LoadSource& source, const v1::ReportRequest& report, bool first) override;
  void OnLoadStreamEnd(const LoadSource& source) override;

  // From the scaler. Not OK: refused, and why.
  absl::Status Apply(const v1::ScalingDecision& decision);

  bool synced() const;
  // The newest first; NOT_FOUND. A key without a kind means the agent or the model of that name.
  absl::StatusOr<std::vector<v1::DecisionRecord>> Decisions(const v1::ResourceKey& key,
                                                            size_t limit) const;

  absl::StatusOr<std::unique_ptr<platform::LogStream>> ReadLogs(
      const v1::ResourceKey& key, const platform::LogOptions& options) const;

 private:
  struct EarlyReport {
    LoadSource source;
    v1::ReplicaLoad load;
  };

  absl::StatusOr<v1::ResourceKey> Resolve(const v1::ResourceKey& key) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ResourceState* Find(const v1::ResourceKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ResolveName(const v1::ResourceKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int InitialDesired(const ResourceState& state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int AdoptedDesired(const ResourceState& state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of all resources, when this manager begins to lead, or to follow.
  void TakeUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StandBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetDesired(ResourceState& state, int desired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ReplicaState MergeReplica(ResourceState& state, platform::Replica replica)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountFailure(const ReplicaState* before, const platform::Replica& after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeReport(const LoadSource& source, const v1::ReplicaLoad& load, ResourceState& state,
                  ReplicaState& replica) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepEarly(const LoadSource& source, const v1::ReplicaLoad& load)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool InvocationDue(const ResourceState& state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Check(const v1::ScalingDecision& decision, const ResourceState& state) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellIdle(const ResourceState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteWake(const v1::ScalingDecision& decision, ResourceState& state)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish(ResourceState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellStatus(ResourceState& state, const v1::RegistryEntry& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ControllerSettings settings_;
  const Clock clock_;
  RegistryStore& store_;
  Leadership& leadership_;
  ControllerMetrics metrics_;

  mutable std::mutex mutex_;
  platform::Platform* platform_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool synced_ ABSL_GUARDED_BY(mutex_) = false;
  // As `leadership_` says.
  bool leads_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t term_ ABSL_GUARDED_BY(mutex_) = 0;
  resource::KeyMap<std::unique_ptr<ResourceState>> resources_ ABSL_GUARDED_BY(mutex_);
  // Of which resource a replica is.
  absl::flat_hash_map<std::string, v1::ResourceKey> instances_ ABSL_GUARDED_BY(mutex_);
  // By instance.
  absl::flat_hash_map<std::string, EarlyReport> early_reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::manager
