// How many replicas a resource should have: a pure function of its spec, of what was seen of its
// load, and of the time. No clock, no lock, no log: policy_test.cc reads as its specification.
//
// In words (design.md §5):
//   load    = demand / (concurrency × target utilisation), demand = in flight + parked + waiting
//   wanted  = ceil(load), within min..max
//   up      at once when there is more demand than the replicas can carry at full use (and the
//           tolerance); below that, once the load averaged over some seconds exceeds the replicas
//           by the tolerance, so that noise around a whole number moves nothing
//   down    only to the highest value wanted within the stable window
//   to zero a serverless resource without demand and activity for scaleToZeroAfter
//   never down while a source of load is silent, or, after a change of leader, before every known
//           source has reported for a whole window
#pragma once

#include <chrono>
#include <string>

#include "krypton/v1/scaling.pb.h"
#include "manager/scaler/history.h"

namespace krypton::scaler {

struct PolicySettings {
  // Of each replica's concurrency: 20 % are the room in which a burst starts (--scaler-target-...).
  double target_utilization = 0.8;
  // design.md §5: 60 s.
  std::chrono::milliseconds stable_window{60'000};
  // Over which the load is averaged as long as the replicas can carry it: six reports of a sidecar.
  std::chrono::milliseconds averaging_window{6'000};
  // How far the load must exceed the replicas; Kubernetes' HPA uses the same tenth.
  double tolerance = 0.1;
};

// What the policy needs to know of a resource's spec.
struct ScalingSpec {
  bool serverless = false;
  // Always-on: max(minReplicas, 1); serverless: minReplicas, in which case 0 is what it falls to.
  int floor = 0;
  int max = 1;
  int concurrency = 1;
  Duration scale_to_zero_after{};
};

// What is known of a resource's load at one moment.
struct Load {
  // Σ of the sidecars' time-weighted requests in flight and parked.
  double in_flight = 0;
  // Σ of what waits at the gateways.
  double waiting = 0;
  // The latest of: demand, a request or byte that a sidecar has seen, the moment from which the
  // resource is watched.
  TimePoint last_active{};
  int sources = 0;
  // Those of them that say nothing any more; they count with their last value.
  int silent_sources = 0;
  // After a change of leader: not every source known by then has reported for a whole window.
  bool unsettled = false;

  double demand() const { return in_flight + waiting; }
};

struct Decision {
  int desired = 0;
  int previous = 0;
  // ceil(load) of this moment, whatever floor and max are: what the history keeps.
  int wanted = 0;
  v1::ScalingRule rule = v1::SCALING_RULE_DEMAND;
  // In words, with the figures; empty when nothing changes (see Explain).
  std::string reason;

  v1::ScalingDirection direction() const;
};

// `history` holds the samples before `now`; the moment itself is in `load`. `previous` is the
// number desired so far. Requires: spec.concurrency >= 1, 0 <= spec.floor <= spec.max.
Decision Decide(const ScalingSpec& spec, const PolicySettings& settings, const Load& load,
                const History& history, int previous, TimePoint now);

}  // namespace krypton::scaler
