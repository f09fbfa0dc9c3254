// What is known of each Agent and Model in the cluster: what is declared, what exists for it, and
// what the manager wants of it. Informers and the manager write it, the platform's threads read
// copies. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/child_info.h"
#include "manager/platform/kubernetes/objects/declared.h"
#include "manager/platform/kubernetes/objects/pod_info.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

using DeclaredPtr = std::shared_ptr<const Declared>;
using PodPtr = std::shared_ptr<const PodInfo>;
using ChildPtr = std::shared_ptr<const ChildInfo>;

enum class ChildKind { kDeployment, kService, kAccount };

// Of one resource.
struct ResourceView {
  // As the API server has it; null: it is not there.
  DeclaredPtr declared;
  // Its last good version.
  std::shared_ptr<const resource::Resource> resource;
  // The fingerprint of the pods that it makes.
  std::string pod_template;
  // By name.
  std::map<std::string, PodPtr> pods;
  // Uids of pods whose sidecar did not answer.
  std::set<std::string> silent;
  ChildPtr deployment;
  ChildPtr service;
  ChildPtr account;
  // What the manager wants; nothing as long as it does not lead.
  std::optional<int> desired;
  std::optional<platform::Status> status;
  // Pods that may go first, by uid.
  std::vector<std::string> idle;
  // Why its objects cannot be written.
  std::string refusal;
  // Of the last one that was declared; and, since it is gone, whether the pods that are left have
  // its Secret.
  std::string uid;
  bool secret_kept = false;

  bool exists() const { return declared != nullptr && !declared->deleting; }
  // Nothing of it is there any more.
  bool empty() const;
};

class ClusterView {
 public:
  // `fingerprint`: of the pods that a resource makes. Pure but for the authority, and called under
  // the lock, so that Recompute leaves no fingerprint of the authority before.
  explicit ClusterView(std::function<std::string(const resource::Resource&)> fingerprint)
      : fingerprint_(std::move(fingerprint)) {}

  std::optional<ResourceView> Get(const v1::ResourceKey& key) const;
  std::vector<v1::ResourceKey> Keys() const;
  // Null: not there.
  PodPtr FindPod(const std::string& uid) const;

  // Whether a pod of it is marked to go first.
  bool HasMarks(const v1::ResourceKey& key) const;

  // Null: it is gone.
  void SetDeclared(const v1::ResourceKey& key, DeclaredPtr declared);
  // A new word of the API server on a pod overrules what was found out about its sidecar.
  void SetPod(const v1::ResourceKey& key, const std::string& name, PodPtr pod);
  void SetChild(const v1::ResourceKey& key, ChildKind kind, ChildPtr child);

  // Each is ignored for what is not there, and returns whether it was news.
  bool SetDesired(const v1::ResourceKey& key, int desired);
  bool SetStatus(const v1::ResourceKey& key, platform::Status status);
  bool SetIdle(const v1::ResourceKey& key, std::vector<std::string> uids);
  bool SetSilent(const v1::ResourceKey& key, const std::string& uid, bool silent);
  bool SetRefusal(const v1::ResourceKey& key, std::string refusal);
  bool SetSecretKept(const v1::ResourceKey& key);
  // This manager leads no more: what it wanted does not count.
  void ForgetWishes();
  // The sidecars' authority is another: so are the pods.
  void Recompute();

 private:
  template <typename Change>
  bool Update(const v1::ResourceKey& key, Change change);

  const std::function<std::string(const resource::Resource&)> fingerprint_;
  mutable std::mutex mutex_;
  resource::KeyMap<ResourceView> views_ ABSL_GUARDED_BY(mutex_);
  // By uid.
  absl::flat_hash_map<std::string, PodPtr> pods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::kube
