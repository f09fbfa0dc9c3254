#include "manager/platform/local/plan.h"

#include <algorithm>

namespace krypton::platform {
namespace {

using Replicas = std::vector<const PlannedReplica*>;

template <typename Predicate>
Replicas Select(const PlanInput& input, Predicate predicate) {
  Replicas selected;
  for (const PlannedReplica& replica : input.replicas) {
    if (!replica.draining && predicate(replica)) selected.push_back(&replica);
  }
  return selected;
}

int Count(const Replicas& replicas) { return static_cast<int>(replicas.size()); }

// The first in the order in which replicas go: not ready before ready, newest before older.
void DrainSurplus(Replicas replicas, int keep, Plan* plan) {
  std::sort(replicas.begin(), replicas.end(), [](const PlannedReplica* a, const PlannedReplica* b) {
    return a->ready != b->ready ? b->ready : a->started > b->started;
  });
  for (int i = 0; i < Count(replicas) - std::max(keep, 0); ++i) {
    plan->drain.push_back(replicas[i]->instance);
  }
}

void ForgetFirst(const Replicas& failed, int count, Plan* plan) {
  for (int i = 0; i < std::min(count, Count(failed)); ++i) {
    plan->forget.push_back(failed[i]->instance);
  }
}

}  // namespace

Plan PlanReplicas(const PlanInput& input) {
  Plan plan;
  const Replicas current = Select(input, [](const auto& r) { return r.current && !r.failed; });
  const Replicas old = Select(input, [](const auto& r) { return !r.current && !r.failed; });
  const Replicas failed = Select(input, [](const auto& r) { return r.current && r.failed; });
  const Replicas failed_old = Select(input, [](const auto& r) { return !r.current && r.failed; });
  const int ready = static_cast<int>(
      std::count_if(current.begin(), current.end(), [](const auto* r) { return r->ready; }));
  ForgetFirst(failed_old, Count(failed_old), &plan);

  // What is not wanted goes.
  DrainSurplus(current, input.desired, &plan);
  Replicas serving, useless;
  for (const PlannedReplica* replica : old) {
    (replica->ready ? serving : useless).push_back(replica);
  }
  DrainSurplus(useless, 0, &plan);
  const int keep_old = std::min(Count(serving), std::max(0, input.desired - ready));
  DrainSurplus(serving, keep_old, &plan);

  // What is missing comes, within the room that a roll has.
  const int missing = std::max(0, input.desired - Count(current));
  const int surge = std::max(1, (input.desired + 3) / 4);
  const int room = keep_old == 0 ? missing : input.desired + surge - Count(current) - keep_old;
  const int wanted = std::clamp(room, 0, missing);
  if (input.may_restart) {
    plan.start = wanted;
  } else if (ready > 0) {
    // Those that failed wait; what is wanted beside them does not.
    plan.start = std::max(0, wanted - Count(failed));
  }
  const int waiting = input.may_restart ? 0 : std::min(Count(failed), missing - plan.start);
  ForgetFirst(failed, Count(failed) - waiting, &plan);
  return plan;
}

}  // namespace krypton::platform
