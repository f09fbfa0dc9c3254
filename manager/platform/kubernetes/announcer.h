// The Events of agents and models: what a user should be told, each thing once. Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "manager/platform/kubernetes/client/event_recorder.h"
#include "manager/platform/kubernetes/cluster_view.h"

namespace krypton::kube {

class Announcer {
 public:
  explicit Announcer(EventRecorder& events) : events_(events) {}

  void Scaled(const Declared& declared, int from, int to);
  void Restored(const Declared& declared, const std::string& what, bool deleted);
  // What cannot be written, or is not accepted.
  void Refused(const Declared& declared, const std::string& reason, const std::string& why);
  // What is wrong with pods: of each pod each thing once.
  void Pods(const ResourceView& view);
  // The pod is gone.
  void Forget(const std::string& uid);

 private:
  void Emit(const Declared& declared, EventType type, const std::string& reason,
            const std::string& action, const std::string& note);

  EventRecorder& events_;
  std::mutex mutex_;
  // By uid and reason.
  std::set<std::pair<std::string, std::string>> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::kube
