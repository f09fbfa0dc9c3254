// How the local platform is put together: manifests → identities → groups of replicas, all on one
// loop. Only local_platform.cc and adoption.cc include this.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/resource/key.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/identity_store.h"
#include "manager/platform/local/log_directory.h"
#include "manager/platform/local/log_waiters.h"
#include "manager/platform/local/loop.h"
#include "manager/platform/local/manifest_book.h"
#include "manager/platform/local/manifest_watcher.h"
#include "manager/platform/local/port_picker.h"
#include "manager/platform/local/replica_group.h"
#include "manager/platform/local/settings.h"
#include "manager/platform/platform.h"

namespace krypton::platform {

// What an earlier manager left behind, and is alive.
struct Survivor {
  ReplicaRecord record;
  std::unique_ptr<SupervisorLink> link;
};

// Finds the replicas below the folder that live, and clears away what is left of the others.
std::vector<Survivor> FindSurvivors(Loop& loop, const std::string& folder);

class LocalPlatform : public Platform {
 public:
  explicit LocalPlatform(LocalSettings settings);
  ~LocalPlatform() override;

  absl::Status Start(PlatformListener& listener) override;
  void SetReplicas(const v1::ResourceKey& key, int desired) override;
  void OnReplicaState(const v1::ResourceKey& key, const std::string& instance,
                      v1::EndpointState state) override;
  // Status is in the registry only.
  void OnStatus(const v1::ResourceKey&, const Status&) override {}
  void ConfirmReplica(const v1::ResourceKey& key, const std::string& instance) override;
  absl::StatusOr<std::unique_ptr<LogStream>> ReadLogs(const v1::ResourceKey& key,
                                                      const LogOptions& options) override;
  void Stop() override;
  void Abort() override;

 private:
  absl::Status PrepareStateFolder();
  // All below on the loop's thread.
  void Begin();
  void OnFiles(std::vector<FileChange> changes);
  void Apply();
  void Declare(const resource::Resource& parsed, const std::string& file);
  void Withdraw(const std::string& name);
  void TellProblems();
  void TakeOver(std::vector<Survivor> survivors);
  void SyncWhenHeard(Loop::Clock::time_point deadline);
  void End(bool now);
  ReplicaGroup& GroupOf(const v1::ResourceKey& key);
  ReplicaGroup* FindGroup(const v1::ResourceKey& key);
  void OnReport(const v1::ResourceKey& key, std::vector<Replica> replicas);
  void RemoveEmptyGroups();
  void Post(const v1::ResourceKey& key, std::function<void(ReplicaGroup&)> call);

  LocalSettings settings_;
  PlatformListener* listener_ = nullptr;
  UniqueFd lock_;
  Loop loop_;
  PortPicker ports_;
  LocalContext context_;
  LogDirectory logs_;
  std::shared_ptr<LogWaiters> log_waiters_;
  IdentityStore identities_;
  ManifestBook book_;
  std::unique_ptr<ManifestWatcher> watcher_;
  // What the book said last, by resource::Describe of its key.
  std::map<std::string, ManifestBook::Declared> declared_;
  // The refused manifests as they were told, a line each.
  absl::flat_hash_set<std::string> told_problems_;
  resource::KeyMap<std::unique_ptr<ReplicaGroup>> groups_;
  uint64_t term_ = 0;
  bool synced_ = false;
  bool ending_ = false;
  bool removal_posted_ = false;
  std::thread thread_;
};

}  // namespace krypton::platform
