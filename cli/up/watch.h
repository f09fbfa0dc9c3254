// What `krypton up` knows of the agents and models of its mesh: a thread that follows WatchAgents,
// one that follows WatchModels, and one that asks for refused manifests each second. Whoever owns
// it polls `fd` and then takes a snapshot.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "cli/control_plane.h"
#include "krypton/v1/control_plane.pb.h"

namespace grpc {
class ClientContext;
}

namespace krypton::cli {

class MeshWatch {
 public:
  explicit MeshWatch(ControlPlane control_plane);
  // Ends the threads.
  ~MeshWatch();
  MeshWatch(const MeshWatch&) = delete;
  MeshWatch& operator=(const MeshWatch&) = delete;

  // Readable when something is new.
  int fd() const { return event_fd_; }

  struct Snapshot {
    std::vector<v1::Agent> agents;  // By namespace and name.
    std::vector<v1::Model> models;  // Likewise.
    std::vector<v1::ManifestProblem> problems;
    bool complete = false;          // All that there was at the beginning is known.
    std::vector<std::string> news;  // What happened since the last Take, one line each.
  };
  Snapshot Take();

 private:
  // Opens the stream again and again, for as long as this lives. `open` starts it.
  template <typename Response, typename Open>
  void Follow(Open open);
  void FollowProblems();
  void Apply(const v1::WatchAgentsResponse& response);
  void Apply(const v1::WatchModelsResponse& response);
  // A line of news, if it is one; wakes the owner.
  void Tell(std::string line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Signal() const;
  // False when this is being destroyed.
  bool Sleep(std::chrono::milliseconds duration);

  const ControlPlane control_plane_;
  const int event_fd_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Agent> agents_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Model> models_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ManifestProblem> problems_ ABSL_GUARDED_BY(mutex_);
  bool agents_known_ ABSL_GUARDED_BY(mutex_) = false;
  bool models_known_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::string> news_ ABSL_GUARDED_BY(mutex_);
  std::thread agents_thread_;
  std::thread models_thread_;
  std::thread problems_thread_;
};

// One line for a change that a person wants to see; empty when there is none. `before` is null for
// one that is new.
std::string DescribeChange(const v1::Agent* before, const v1::WatchAgentsResponse& change);
std::string DescribeChange(const v1::Model* before, const v1::WatchModelsResponse& change);

}  // namespace krypton::cli
