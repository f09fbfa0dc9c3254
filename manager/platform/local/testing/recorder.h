// A PlatformListener for tests that remembers what it was told, and waits for what a test expects.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/resource/resource.h"
#include "manager/platform/platform.h"

namespace krypton::platform::testing {

class Recorder : public PlatformListener {
 public:
  void OnLeadership(bool leader, uint64_t term, std::string leader_address) override;
  void OnResource(std::shared_ptr<const resource::Resource> resource) override;
  void OnResourceDeleted(const v1::ResourceKey& key) override;
  void OnReplicas(const v1::ResourceKey& key, std::vector<Replica> replicas) override;
  void OnTrouble(const v1::ResourceKey&, std::string) override {}
  void OnManifestProblems(std::vector<v1::ManifestProblem> problems) override;
  void OnSynced() override;

  // Called on the platform's thread with each report, before it is recorded; null: not any more.
  // When this returns, the one before is not called any more.
  using OnReplicasHook = std::function<void(const v1::ResourceKey&, const std::vector<Replica>&)>;
  void SetHook(OnReplicasHook hook);

  // All by "namespace/name".
  std::shared_ptr<const resource::Resource> resource(const std::string& name) const;
  std::vector<Replica> replicas(const std::string& name) const;
  // Those in this phase.
  std::vector<Replica> replicas(const std::string& name, ReplicaPhase phase) const;
  std::vector<v1::ManifestProblem> problems() const;
  bool synced() const;
  // 0: this manager does not lead.
  uint64_t term() const;
  // Every instance that was ever reported.
  std::set<std::string> instances() const;

  // Waits until the condition holds, checked after each call of the platform; false after 20 s.
  // What was last known is printed then.
  bool Wait(const std::function<bool()>& condition) const;

 private:
  mutable std::mutex mutex_;
  // Its own: the hook may ask this for what it recorded.
  std::mutex hook_mutex_;
  OnReplicasHook hook_;
  std::map<std::string, std::shared_ptr<const resource::Resource>> resources_;
  std::map<std::string, std::vector<Replica>> replicas_;
  std::vector<v1::ManifestProblem> problems_;
  std::set<std::string> instances_;
  bool synced_ = false;
  uint64_t term_ = 0;
};

const char* Name(ReplicaPhase phase);

}  // namespace krypton::platform::testing
