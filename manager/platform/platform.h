// What runs replicas: local processes (local/) or Kubernetes (kubernetes/).
//
// The manager says how many replicas of a resource it wants; the platform makes it so, and says
// which resources are declared, which replicas exist and where they are. Both directions are
// level-based: a call carries the state as it is now, may be repeated, and replaces what was said
// before about the same key. The platform owns starting, restarting with backoff, rolling to a new
// generation (new first, then the old drained) and ending; the manager owns how many, and what of
// it is in the registry.
//
// Threads: all functions of Platform may be called by any thread, also from within a call of the
// listener, and return at once: they note what is wanted and never call the listener themselves.
// The platform calls the listener one call at a time, and holds none of its locks meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "krypton/v1/agent.pb.h"
#include "krypton/v1/model.pb.h"
#include "krypton/v1/registry.pb.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::manager {
class ReporterAuthenticator;  // manager/load/reporter_authenticator.h
}
namespace krypton::resource {
class Resource;  // common/resource/resource.h
}

namespace krypton::platform {

enum class ReplicaPhase {
  kStarting,  // It is being started, or runs and its sidecar has not said `ready` yet.
  kRunning,   // Its sidecar has said `ready` (OnReplicaState), or the platform's own probe says so.
  kDraining,  // It is on its way out: takes no new request, finishes those it has.
  kFailed,    // It ended by itself or could not be started; it is tried again after a backoff.
};

// One replica, as the platform sees it. A replica that is started again after it failed keeps its
// instance on the local platform only if its sidecar went on running; a new sidecar is a new one.
struct Replica {
  // Unique among all replicas that ever ran; hard to guess.
  std::string instance;
  // The generation of the spec that it runs.
  int64_t generation = 0;
  // The sidecar's host, `127.0.0.1`, or its `host:port`. Where the port is missing the manager
  // takes the one that the sidecar reports.
  std::string address;
  ReplicaPhase phase = ReplicaPhase::kStarting;
  // For people, when something is wrong: "the agent exited with status 3, is started again after 4
  // s".
  std::string message;
  std::chrono::system_clock::time_point start_time;
  // How often it has failed and was started again.
  int restarts = 0;
  // Process id of the agent; name of the pod.
  std::string ref;
};

// How a resource stands, of an agent or of a model.
using Status = std::variant<v1::AgentStatus, v1::ModelStatus>;

// Implemented by the manager. When a call returns, the registry has what it said: after
// OnReplicas with a replica in kDraining, no gateway is told to use it any more, and the platform
// may go on to drain it.
class PlatformListener {
 public:
  virtual ~PlatformListener() = default;
  // Who leads: whether this manager does, the leader's term, and the gRPC address at which others
  // reach the leader (empty: not known). Before the first call nobody leads. A manager that does
  // not lead decides nothing, writes nothing, and serves the registry from what the platform says;
  // when it begins to lead it takes what runs, and what status says is desired, for what is
  // desired. The platform refuses every write of its own from before it says `false`, not from
  // after.
  virtual void OnLeadership(bool leader, uint64_t term, std::string leader_address) = 0;
  // The resource is new, or its spec, its metadata, or (while another manager leads) its status
  // changed. Defaulted and valid. Its status is what was last written by whoever led.
  virtual void OnResource(std::shared_ptr<const resource::Resource> resource) = 0;
  // It is not declared any more. The platform drains and ends its replicas on its own, and goes on
  // to report them until none is left.
  virtual void OnResourceDeleted(const v1::ResourceKey& key) = 0;
  // All replicas of the key; those that are not named do not exist any more.
  virtual void OnReplicas(const v1::ResourceKey& key, std::vector<Replica> replicas) = 0;
  // What keeps the platform from making replicas at all ("pods are forbidden: ..."); empty:
  // nothing.
  virtual void OnTrouble(const v1::ResourceKey& key, std::string trouble) = 0;
  // All manifests that are refused at the moment.
  virtual void OnManifestProblems(std::vector<v1::ManifestProblem> problems) = 0;
  // Once after Start: all resources that are declared, and all replicas that survived from an
  // earlier manager, have been said. The registry serves nobody before, so that a gateway that
  // comes back never takes a half-read registry for the whole.
  virtual void OnSynced() = 0;
};

struct LogOptions {
  // Go on with what is printed from now on; otherwise the stream ends after the past.
  bool follow = false;
  // Lines of the past, per replica: 0..10,000.
  int tail_lines = 100;
  // Only this replica; empty: all.
  std::string instance;
};

// What one replica printed: whole lines, without their line ends.
struct LogBatch {
  std::string instance;
  std::vector<std::string> lines;
  // Of the stream itself, for people: that not all replicas are in it, and why.
  std::string notice;
  // There is nothing more, and never will be.
  bool end = false;
};

// The output of the replicas of one resource, pulled by its reader, so that a slow reader costs a
// bounded buffer. One thread at a time may call it; the destructor ends it and waits for a call of
// `ready` that runs.
class LogStream {
 public:
  virtual ~LogStream() = default;
  // What can be had without waiting, of one replica, at most about `max_bytes`. A batch without
  // lines, notice and `end` means: nothing now.
  virtual absl::StatusOr<LogBatch> Read(size_t max_bytes) = 0;
  // Calls `ready` once, on a thread of the platform, as soon as Read would give something. Not
  // again before that call has begun.
  virtual void WhenReadable(std::function<void()> ready) = 0;
};

class Platform {
 public:
  virtual ~Platform() = default;

  // Begins to read the resources, adopts the replicas that survived an earlier manager (each with
  // the phase that it had: one that was ready comes back as kRunning), and calls `listener` until
  // Stop has returned. What was adopted of a key is reported after OnResource of the key, before
  // OnSynced; nothing is started or ended before the first SetReplicas for the key.
  virtual absl::Status Start(PlatformListener& listener) = 0;

  // `desired` >= 0 replicas of the current generation. Unknown keys are ignored.
  virtual void SetReplicas(const v1::ResourceKey& key, int desired) = 0;

  // Which replicas may rather go than others when there are to be fewer, the idlest first; before
  // the SetReplicas. A platform that chooses by itself need not listen.
  virtual void PreferRemoval(const v1::ResourceKey&, std::vector<std::string>) {}

  // What the replica's sidecar said of itself, after the manager has put it into the registry. It
  // stands in for a kubelet's readiness probe: a roll waits for READY before the old replicas go.
  virtual void OnReplicaState(const v1::ResourceKey& key, const std::string& instance,
                              v1::EndpointState state) = 0;

  // How the resource stands now; the platform writes it where people look for it, if it has such a
  // place. Called only by a manager that leads, and only when something in it changed.
  virtual void OnStatus(const v1::ResourceKey& key, const Status& status) = 0;

  // The replica's load stream broke or went silent: look again whether it lives and answers, and
  // say through OnReplicas what is different (kStarting: lives, does not answer).
  virtual void ConfirmReplica(const v1::ResourceKey& key, const std::string& instance) = 0;

  // NOT_FOUND: no such resource or replica.
  virtual absl::StatusOr<std::unique_ptr<LogStream>> ReadLogs(const v1::ResourceKey& key,
                                                              const LogOptions& options) = 0;

  // Who proves that sidecars are of the replicas that they claim; null: whoever reports is
  // believed. Lives as long as the platform.
  virtual manager::ReporterAuthenticator* authenticator() { return nullptr; }

  // Local: drains and ends all replicas in order, reports them meanwhile, returns when nothing is
  // left. Kubernetes: finishes what is being written, gives up the leadership and returns; replicas
  // outlive the manager there. `Abort` (a second signal) makes a running Stop end at once. Called
  // once.
  virtual void Stop() = 0;
  virtual void Abort() = 0;
};

}  // namespace krypton::platform
