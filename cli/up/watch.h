// What `krypton up` knows of the agents of its mesh: a thread that follows WatchAgents, and one
// that asks for refused manifests each second. Whoever owns it polls `fd` and then takes a
// snapshot.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
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
  // Ends both threads.
  ~MeshWatch();
  MeshWatch(const MeshWatch&) = delete;
  MeshWatch& operator=(const MeshWatch&) = delete;

  // Readable when something is new.
  int fd() const { return event_fd_; }

  struct Snapshot {
    std::vector<v1::Agent> agents;  // By namespace and name.
    std::vector<v1::ManifestProblem> problems;
    std::vector<std::string> news;  // What happened since the last Take, one line each.
  };
  Snapshot Take();

 private:
  void FollowAgents();
  void FollowProblems();
  void Apply(const v1::WatchAgentsResponse& response);
  void Signal() const;
  // False when this is being destroyed.
  bool Sleep(std::chrono::milliseconds duration);

  const ControlPlane control_plane_;
  const int event_fd_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::map<std::string, v1::Agent> agents_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ManifestProblem> problems_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> news_ ABSL_GUARDED_BY(mutex_);
  std::thread agents_thread_;
  std::thread problems_thread_;
};

// One line for a change of an agent that a person wants to see; empty when there is none. `before`
// is null for an agent that is new.
std::string DescribeChange(const v1::Agent* before, const v1::WatchAgentsResponse& change);

}  // namespace krypton::cli
