// Tells the manager what the cluster holds, on one thread, one thing at a time: of each resource
// that changed what is different from what was told last. Level-based: a resource that changes
// often is looked at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/cluster_view.h"
#include "manager/platform/platform.h"

namespace krypton::kube {

class Teller {
 public:
  // `told`: after the manager has heard of a change of the resource.
  Teller(const ClusterView& view, platform::PlatformListener& listener,
         std::function<void(const ResourceView&)> told);
  ~Teller();

  void Start();
  void Stop();

  // Any thread; in the order of the calls.
  void Changed(const v1::ResourceKey& key);
  void Leadership(bool leader, uint64_t term, std::string address);
  void Synced();

 private:
  // What the manager was told of one resource.
  struct Told {
    DeclaredPtr declared;
    std::shared_ptr<const resource::Resource> resource;
    std::vector<platform::Replica> replicas;
    std::string trouble;
  };

  void Run(const std::stop_token& stop);
  void Post(std::function<void()> call);
  void Tell(const v1::ResourceKey& key);
  void TellResource(const v1::ResourceKey& key, const ResourceView& view, Told& told);
  void TellReplicas(const v1::ResourceKey& key, const ResourceView& view, Told& told);
  void TellProblems(const v1::ResourceKey& key, const ResourceView* view);

  const ClusterView& view_;
  platform::PlatformListener& listener_;
  const std::function<void(const ResourceView&)> told_callback_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> calls_ ABSL_GUARDED_BY(mutex_);
  resource::KeySet waiting_ ABSL_GUARDED_BY(mutex_);

  // Of the thread.
  resource::KeyMap<Told> told_;
  std::map<std::string, std::vector<v1::ManifestProblem>> problems_;
  bool leads_ = false;
  std::jthread thread_;
};

}  // namespace krypton::kube
