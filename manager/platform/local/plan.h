// Which replicas to start and which to drain, as a pure function of what is wanted and what exists.
// Asked again after every change: it only ever says the next step.
//
// A roll brings new replicas first: up to a quarter more than desired (at least one) may live
// meanwhile, and an old one that is ready goes only when a new one has become ready in its place. A
// new generation that never becomes ready thus leaves the old one serving.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace krypton::platform {

struct PlannedReplica {
  std::string instance;
  // It runs the resource's present generation.
  bool current = true;
  bool ready = false;
  // It ended by itself and waits for its turn to be started again.
  bool failed = false;
  // On its way out already.
  bool draining = false;
  // Any clock; later is newer.
  int64_t started = 0;
};

struct PlanInput {
  int desired = 0;
  // The backoff after the last failure is over.
  bool may_restart = true;
  std::vector<PlannedReplica> replicas;
};

struct Plan {
  int start = 0;
  // Of failed replicas, whose records make room: for those that are started, or not wanted any
  // more.
  std::vector<std::string> forget;
  std::vector<std::string> drain;
};

Plan PlanReplicas(const PlanInput& input);

}  // namespace krypton::platform
