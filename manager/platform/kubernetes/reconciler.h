// Makes the cluster hold what a resource needs: ServiceAccount, Secret, Service, Deployment, each
// by server-side apply, and only when it is missing or differs in what Krypton owns of it.
// Level-based: a call looks at the whole of one resource, and may be repeated.
//
// What has never run has none of it; from its first replica on, all of it stays until the resource
// goes, and then goes by its owner references. The Secret goes before the pods then; for those that
// drain it is made once more, as theirs, and goes with the last of them. Any thread, never twice at
// once for one key.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/announcer.h"
#include "manager/platform/kubernetes/authority.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/work_queue.h"
#include "manager/platform/kubernetes/cluster_view.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {

struct ReconcilerSettings {
  ObjectSettings objects;
  std::chrono::seconds certificate_lifetime = std::chrono::hours(24 * 90);
};

class Reconciler {
 public:
  // `refused` is told when the reason changes for which a resource's objects cannot be written.
  Reconciler(ReconcilerSettings settings, Client& client, ClusterView& view,
             const AuthorityFiles& authority, Announcer& announcer,
             std::function<void(const v1::ResourceKey&)> refused);
  ~Reconciler();

  ReconcileResult Reconcile(const std::string& queue_key);
  // Nothing is remembered of what was written: this manager begins or ends to lead.
  void Forget();

 private:
  class Run;
  struct Memory;

  std::shared_ptr<Memory> MemoryOf(const v1::ResourceKey& key);
  // The resource is gone.
  absl::Status KeepSecret(const v1::ResourceKey& key, const ResourceView& view);

  const ReconcilerSettings settings_;
  Client& client_;
  ClusterView& view_;
  const AuthorityFiles& authority_;
  Announcer& announcer_;
  const std::function<void(const v1::ResourceKey&)> refused_;
  std::mutex mutex_;
  resource::KeyMap<std::shared_ptr<Memory>> memories_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::kube
