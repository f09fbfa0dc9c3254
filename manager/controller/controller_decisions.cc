// What the scaler decides: taken, or refused and why; and the questions about it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/log/log.h"
#include "manager/controller/controller.h"
#include "manager/proto_time.h"

namespace krypton::manager {

absl::Status Controller::Apply(const v1::ScalingDecision& decision) {
  if (!resource::IsDnsLabel(decision.key().namespace_()) ||
      !resource::IsDnsLabel(decision.key().name())) {
    return absl::InvalidArgumentError("the key names no agent and no model");
  }
  std::lock_guard lock(mutex_);
  ResourceState* state = Find(decision.key());
  if (state == nullptr) {
    metrics_.CountDecisionRefused();
    return absl::NotFoundError(resource::Describe(decision.key()) + " does not exist");
  }
  if (absl::Status status = Check(decision, *state); !status.ok()) {
    metrics_.CountDecisionRefused();
    state->decisions.AddRefusal(decision, std::string(status.message()));
    return status;
  }
  if (decision.desired() == state->desired) return absl::OkStatus();
  NoteWake(decision, *state);
  state->decisions.Add(decision);
  log::Info("scaled", {{"agent", resource::ToString(decision.key())},
                       {"from", state->desired},
                       {"to", decision.desired()},
                       {"reason", decision.reason()}});
  if (decision.desired() < state->desired) TellIdle(*state);
  SetDesired(*state, decision.desired());
  Publish(*state);
  return absl::OkStatus();
}

absl::Status Controller::Check(const v1::ScalingDecision& decision,
                               const ResourceState& state) const {
  if (!leads_) return absl::FailedPreconditionError("another manager leads");
  if (decision.term() != term_) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the decision is of term %d, this manager's term is %d", decision.term(), term_));
  }
  if (!synced_) return absl::UnavailableError("the platform has not been read yet");
  if (state.conflict.has_value()) {
    return absl::FailedPreconditionError("another resource has the same name");
  }
  const int floor = state.resource->floor_replicas();
  const int max = state.resource->max_replicas();
  if (decision.desired() < floor || decision.desired() > max) {
    return absl::OutOfRangeError(absl::StrFormat("desired %d is not in %d..%d of generation %d",
                                                 decision.desired(), floor, max,
                                                 state.resource->generation()));
  }
  return absl::OkStatus();
}

// Which may go first: those with the fewest requests in flight, and of these the youngest.
void Controller::TellIdle(const ResourceState& state) {
  std::vector<const ReplicaState*> replicas;
  for (const ReplicaState& replica : state.replicas) {
    if (replica.replica.phase != platform::ReplicaPhase::kDraining) replicas.push_back(&replica);
  }
  std::sort(replicas.begin(), replicas.end(), [](const ReplicaState* a, const ReplicaState* b) {
    if (a->in_flight != b->in_flight) return a->in_flight < b->in_flight;
    return a->replica.start_time > b->replica.start_time;
  });
  std::vector<std::string> instances;
  for (const ReplicaState* replica : replicas) instances.push_back(replica->replica.instance);
  platform_->PreferRemoval(state.resource->key(), std::move(instances));
}

void Controller::NoteWake(const v1::ScalingDecision& decision, ResourceState& state) {
  if (state.desired != 0 || decision.desired() == 0) {
    state.wake.reset();
    return;
  }
  if (!decision.has_decide_time()) return;
  StartClock start;
  start.decided_at = clock_.now();
  *start.timing.mutable_decide() = decision.decide_time();
  state.wake = start;
  const auto published = std::max<std::chrono::nanoseconds>(
      clock_.wall() - FromProto(decision.time()), std::chrono::nanoseconds::zero());
  metrics_.ObserveWake(FromProto(decision.decide_time()) + published);
}

// People who ask by URL give no kind: whichever there is, the one that runs first.
absl::StatusOr<v1::ResourceKey> Controller::Resolve(const v1::ResourceKey& key) const {
  std::vector<v1::ResourceKey> candidates = {key};
  if (key.kind() == v1::RESOURCE_KIND_UNSPECIFIED) {
    candidates = {resource::AgentKey(key.namespace_(), key.name()),
                  resource::ModelKey(key.namespace_(), key.name())};
  }
  std::optional<v1::ResourceKey> existing;
  for (const v1::ResourceKey& candidate : candidates) {
    const auto found = resources_.find(candidate);
    if (found == resources_.end()) continue;
    if (!found->second->conflict.has_value()) return candidate;
    existing = candidate;
  }
  if (existing.has_value()) return *existing;
  return absl::NotFoundError(resource::Describe(key) + " does not exist");
}

absl::StatusOr<std::vector<v1::DecisionRecord>> Controller::Decisions(const v1::ResourceKey& key,
                                                                      size_t limit) const {
  std::lock_guard lock(mutex_);
  const absl::StatusOr<v1::ResourceKey> resolved = Resolve(key);
  if (!resolved.ok()) return resolved.status();
  return resources_.at(*resolved)->decisions.Last(limit);
}

absl::StatusOr<std::unique_ptr<platform::LogStream>> Controller::ReadLogs(
    const v1::ResourceKey& key, const platform::LogOptions& options) const {
  platform::Platform* platform = nullptr;
  absl::StatusOr<v1::ResourceKey> resolved;
  {
    std::lock_guard lock(mutex_);
    resolved = Resolve(key);
    platform = platform_;
  }
  if (!resolved.ok()) return resolved.status();
  return platform->ReadLogs(*resolved, options);
}

}  // namespace krypton::manager
