// The replicas of one resource on this machine: makes them as many as are wanted, rolls them to a
// new generation, starts failed ones again after a backoff, and ends all when the resource is gone.
// What to do next is decided by PlanReplicas. Belongs to the loop's thread. Destroying it lets the
// processes go on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/resource/resource.h"
#include "manager/platform/local/local_replica.h"
#include "manager/platform/local/log_directory.h"
#include "manager/platform/local/plan.h"
#include "manager/platform/platform.h"

namespace krypton::platform {

class ReplicaGroup {
 public:
  // `report` is called with all replicas whenever one is different; when it returns, no request
  // goes to one that it called kDraining.
  ReplicaGroup(const LocalContext& context, LogDirectory& logs, v1::ResourceKey key,
               std::function<void(std::vector<Replica>)> report);
  ~ReplicaGroup();

  // New, or changed. `work_folder`: where its command runs.
  void SetResource(std::shared_ptr<const resource::Resource> resource, std::string work_folder);
  // It is not declared any more: all replicas end.
  void Delete();
  // Null after Delete.
  const std::shared_ptr<const resource::Resource>& resource() const { return resource_; }

  // Before the first call nothing is started or ended.
  void SetDesired(int desired);
  // One that an earlier manager started.
  void Adopt(ReplicaRecord record, std::unique_ptr<SupervisorLink> link);

  void OnState(const std::string& instance, v1::EndpointState state);
  void Confirm(const std::string& instance);
  // Drains all; starts none any more. `now`: without grace.
  void End(bool now);

  // No replica is left.
  bool empty() const { return replicas_.empty(); }
  // An adopted one has not been heard of yet.
  bool awaits_hello() const;
  std::vector<Replica> Report() const;

 private:
  LocalReplica::Events EventsOfReplica();
  // An edit that its processes would not notice is none for them.
  void PromoteIfSame(LocalReplica& replica);
  LocalReplica* Find(const std::string& instance);
  PlanInput Input() const;
  // Reconciles soon, from the loop itself.
  void Schedule();
  void Reconcile();
  void RunDeadlines();
  void RemoveGone(const std::vector<std::string>& forget);
  std::vector<LocalReplica*> MarkDrains(const std::vector<std::string>& instances);
  std::vector<LocalReplica*> AddReplicas(int count, std::vector<LocalReplica::Past> pasts);
  void CountFailures();
  void Tell();
  void SetTimer();

  const LocalContext& context_;
  LogDirectory& logs_;
  const v1::ResourceKey key_;
  const std::function<void(std::vector<Replica>)> report_;
  std::shared_ptr<const resource::Resource> resource_;
  std::string work_folder_;
  // Of TemplateOf.
  std::string template_;
  std::optional<int> desired_;
  std::vector<std::unique_ptr<LocalReplica>> replicas_;
  // The folder of the last one that failed: its log says why.
  std::string last_failed_;

  // Failures in a row, and until when none is made up for.
  int failures_ = 0;
  Loop::Clock::time_point restart_at_;
  std::chrono::milliseconds wait_{0};  // From the last failure to restart_at_.
  bool failed_since_ = false;
  bool ending_ = false;
  bool changed_ = false;
  bool scheduled_ = false;
  Loop::TimerId timer_ = 0;
  // Lets posted calls know that this is no more.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace krypton::platform
