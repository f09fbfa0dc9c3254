// LeaderElector elects one of several processes by a Lease (coordination.k8s.io/v1), as client-go's
// tools/leaderelection does: others count a lease's time from the moment at which they saw it
// change, by their own clock; each write carries the resource version that it is based on.
//
// Being the leader ends by the clock, not by an event: IsLeader compares CLOCK_BOOTTIME, which goes
// on while the process is stopped (SIGSTOP) or the machine sleeps, with the moment at which the
// last renewal that succeeded was *sent*, plus `renew_deadline`. Others may begin `lease_duration`
// after they saw it at the earliest, so there is always a gap in which nobody is leader. Give
// CheckLeader to the client as its write gate: a process that was stopped for long wakes up without
// the right to write, before any of its threads is told.
//
// It is not fencing by the server: the term (the Lease's leaseTransitions) goes with each decision,
// and who gets one of an older term refuses it.
//
// Callbacks come on one thread, one at a time: `started` and `stopped` alternate, `stopped` at the
// latest when IsLeader has become false by the clock and before another can begin. Start and Stop
// by one thread; Stop releases the lease (the next one begins within 2 s) after `stopped` has
// returned. The client outlives the elector, and is one of its own: few attempts, no write gate.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace prometheus {
class Registry;
}

namespace krypton::kube {

class Client;
struct ClientSettings;

struct LeaseSettings {
  std::string name_space;
  std::string name = "krypton-manager";
  // Of this very process: the elector adds a random ending, so that a process that is started
  // again in the same pod is another one.
  std::string identity;
  // Where this process answers gRPC; told to the others by an annotation of the Lease.
  std::string address;
  // client-go's defaults. Requires: lease_duration > renew_deadline > 1.2 × retry_period.
  std::chrono::milliseconds lease_duration{15'000};
  std::chrono::milliseconds renew_deadline{10'000};
  std::chrono::milliseconds retry_period{2'000};
  // Time since boot; tests give their own. Null: CLOCK_BOOTTIME.
  std::function<std::chrono::nanoseconds()> clock;
};

// Who leads, as last seen.
struct Leader {
  std::string identity;  // empty: nobody
  std::string address;   // empty: it did not say
  uint64_t term = 0;     // leaseTransitions

  bool operator==(const Leader&) const = default;
};

struct LeaderCallbacks {
  std::function<void(uint64_t term)> started;
  std::function<void()> stopped;
  // Also for this process itself, after `started`; with an empty identity when nobody leads.
  std::function<void(const Leader&)> leader_changed;
};

class LeaderElector {
 public:
  LeaderElector(Client& client, LeaseSettings settings, LeaderCallbacks callbacks,
                prometheus::Registry& metrics);
  ~LeaderElector();
  LeaderElector(const LeaderElector&) = delete;
  LeaderElector& operator=(const LeaderElector&) = delete;

  // kInvalidArgument for times that contradict one another or a missing name.
  absl::Status Start();
  void Stop();

  // By the clock, now. Any thread, no lock; cheap enough to ask before each write.
  bool IsLeader() const;
  // kFailedPrecondition when not.
  absl::Status CheckLeader() const;
  // The term in which this process leads or led last.
  uint64_t term() const;
  Leader leader() const;
  // With its random ending.
  const std::string& identity() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a client for an elector is made with: one attempt a call, shorter than a retry period can
// bear, no gate.
ClientSettings LeaseClientSettings(const LeaseSettings& lease);

}  // namespace krypton::kube
