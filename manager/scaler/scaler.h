// The scaler: takes load reports and the registry's changes in, gives decisions out. Once a second
// it looks at every resource that has demand or replicas, and only at those; a report that a
// request waits where nothing runs is decided at once, on the thread that brought it.
//
// Thread-safe; one lock. `publish` is called with the lock held and must return at once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/registry/client.h"
#include "common/resource/key.h"
#include "manager/clock.h"
#include "manager/load/load_listener.h"
#include "manager/scaler/load_book.h"
#include "manager/scaler/metrics.h"
#include "manager/scaler/policy.h"

namespace krypton::scaler {

struct ScalerSettings {
  PolicySettings policy;
  LoadBook::Settings book;
  uint64_t term = 0;
  // Sources of load in all; reports of further ones are not counted.
  size_t max_sources = 200'000;
  // Resources that gateways speak of before the registry's change has come here.
  size_t max_unknown_resources = 10'000;
};

class Scaler : public manager::LoadListener {
 public:
  using Publish = std::function<void(v1::ScalingDecision)>;

  Scaler(ScalerSettings settings, manager::Clock clock, prometheus::Registry& metrics,
         Publish publish);
  ~Scaler() override;

  // A step of registry::Client.
  void OnRegistryChange(const registry::Change& change);
  void OnLoad(const manager::LoadSource& source, const v1::ReportRequest& report,
              bool first) override;
  void OnLoadStreamEnd(const manager::LoadSource&) override {}
  // The manager did not take a decision: the resource is decided anew at the next tick.
  void OnRefusal(const v1::DecisionRefusal& refusal);
  // Looks at every resource with demand or replicas.
  void Tick();

 private:
  struct Subject;
  struct Reporter;

  // Null: there are too many that the registry does not know.
  Subject* SubjectOf(const v1::ResourceKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ApplyEntry(const v1::RegistryEntry& entry, bool known_before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const v1::ResourceKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: the stream was overtaken by a newer one, or there are too many sources.
  Reporter* ReporterOf(const manager::LoadSource& source, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeReplica(const v1::ReplicaLoad& load, Reporter& reporter, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A sidecar's report that says nothing but that it is there.
  void Touch(const manager::LoadSource& source, const Reporter& reporter, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeQueue(const v1::QueueLoad& load, const std::string& gateway, Reporter& reporter,
                 TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a gateway waited for before, and does not name in its first report any more.
  void DropQueues(const v1::ReportRequest& report, const std::string& gateway, Reporter& reporter)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Decides and publishes. `caused_at`: when the report came that does not wait for the tick.
  void Evaluate(Subject& subject, TimePoint now, std::optional<TimePoint> caused_at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Announce(const Subject& subject, const Load& load, const Decision& decision,
                std::optional<TimePoint> caused_at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Load LoadOf(Subject& subject, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireReporters(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ScalerSettings settings_;
  const manager::Clock clock_;
  const Publish publish_;
  std::mutex mutex_;
  ScalerMetrics metrics_ ABSL_GUARDED_BY(mutex_);
  resource::KeyMap<std::unique_ptr<Subject>> subjects_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Subject*> active_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::unique_ptr<Reporter>> reporters_ ABSL_GUARDED_BY(mutex_);
  size_t unknown_resources_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the first snapshot of the registry came.
  std::optional<TimePoint> synced_at_ ABSL_GUARDED_BY(mutex_);
  // The newest of the gateways that came within the first stable window.
  TimePoint last_early_gateway_ ABSL_GUARDED_BY(mutex_){};
  TimePoint reporters_checked_at_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace krypton::scaler
