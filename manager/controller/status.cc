#include "manager/controller/status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/config/utf8.h"
#include "common/resource/conflict.h"
#include "manager/proto_time.h"

namespace krypton::manager {
namespace {

bool IsFailing(const platform::Replica& replica) {
  return replica.phase == platform::ReplicaPhase::kFailed ||
         (replica.phase == platform::ReplicaPhase::kStarting && replica.restarts > 0);
}

// None is ready, and none that has not failed before is on its way.
bool HasFailed(const ResourceState& state, const ReplicaCounts& counts) {
  if (counts.ready > 0 || counts.failing != counts.existing) return false;
  return counts.failing > 0 || (state.desired > 0 && !state.trouble.empty());
}

// What the platform says of a replica that does not come up; empty: nothing.
std::string TroubleOf(const ResourceState& state) {
  if (!state.trouble.empty()) return state.trouble;
  for (const ReplicaState& replica : state.replicas) {
    if (IsFailing(replica.replica) && !replica.replica.message.empty()) {
      return replica.replica.message;
    }
  }
  for (const ReplicaState& replica : state.replicas) {
    if (replica.replica.phase == platform::ReplicaPhase::kStarting &&
        !replica.replica.message.empty()) {
      return replica.replica.message;
    }
  }
  return "";
}

struct Verdict {
  v1::ConditionStatus status;
  std::string reason;
  std::string message;
};

std::string ConflictMessage(const v1::ResourceKey& other) {
  return absl::StrCat("the ", resource::Describe(other),
                      " was there first; give one of the two another name");
}

Verdict Available(const ResourceState& state, const ReplicaCounts& counts) {
  if (state.conflict.has_value()) {
    return {v1::CONDITION_STATUS_FALSE, "NameConflict", ConflictMessage(*state.conflict)};
  }
  if (counts.ready > 0) {
    std::string message =
        absl::StrFormat("%d of %d replicas are ready", counts.ready, state.desired);
    if (const std::string trouble = TroubleOf(state); !trouble.empty()) {
      absl::StrAppend(&message, "; ", trouble);
    }
    return {v1::CONDITION_STATUS_TRUE, "Ready", std::move(message)};
  }
  if (state.desired == 0) {
    return {v1::CONDITION_STATUS_TRUE, "ScaledToZero", "the next request starts a replica"};
  }
  const std::string trouble = TroubleOf(state);
  return {v1::CONDITION_STATUS_FALSE, "WaitingForPods",
          trouble.empty() ? absl::StrFormat("none of %d replicas is ready yet", state.desired)
                          : trouble};
}

// Replicas of an older generation are being replaced.
bool IsRolling(const ResourceState& state) {
  return std::any_of(state.replicas.begin(), state.replicas.end(),
                     [&](const ReplicaState& replica) {
                       return replica.replica.phase != platform::ReplicaPhase::kDraining &&
                              replica.replica.generation < state.resource->generation();
                     });
}

// The one summary: what was declared last is what runs, and it takes calls.
Verdict Ready(const ResourceState& state, const Verdict& available) {
  if (available.status == v1::CONDITION_STATUS_TRUE && IsRolling(state)) {
    return {v1::CONDITION_STATUS_FALSE, "RollingOut",
            absl::StrFormat("replicas of generation %d replace those before",
                            state.resource->generation())};
  }
  return available;
}

// True: the replicas are on their way to what is desired.
Verdict Progressing(const ResourceState& state, const ReplicaCounts& counts) {
  const auto moving = [](std::string reason, std::string message) {
    return Verdict{v1::CONDITION_STATUS_TRUE, std::move(reason), std::move(message)};
  };
  if (state.conflict.has_value()) {
    return {v1::CONDITION_STATUS_FALSE, "NameConflict", ConflictMessage(*state.conflict)};
  }
  if (HasFailed(state, counts)) {
    return {v1::CONDITION_STATUS_FALSE, "ReplicasFailing", TroubleOf(state)};
  }
  if (IsRolling(state)) return moving("RollingOut", "replicas of an older generation are replaced");
  if (counts.ready < state.desired) {
    return moving("ScalingUp",
                  absl::StrFormat("%d of %d replicas are ready", counts.ready, state.desired));
  }
  if (counts.existing > state.desired || counts.draining > 0) {
    return moving("ScalingDown", "replicas finish what they have and end");
  }
  return {v1::CONDITION_STATUS_FALSE, "Settled", ""};
}

v1::Condition MakeCondition(const ResourceState& state, std::string type, Verdict verdict,
                            std::chrono::system_clock::time_point wall) {
  v1::Condition condition;
  condition.set_status(verdict.status);
  condition.set_reason(std::move(verdict.reason));
  // It may quote a path, or what a process said last.
  condition.set_message(config::ToUtf8(std::move(verdict.message)));
  condition.set_observed_generation(state.resource->generation());
  const auto before =
      std::find_if(state.conditions.begin(), state.conditions.end(),
                   [&](const v1::Condition& other) { return other.type() == type; });
  if (before != state.conditions.end() && before->status() == verdict.status) {
    *condition.mutable_last_transition_time() = before->last_transition_time();
  } else {
    *condition.mutable_last_transition_time() = ToProto(wall);
  }
  condition.set_type(std::move(type));
  return condition;
}

template <typename Status>
void FillStatus(const ResourceState& state, const ReplicaCounts& counts,
                const std::string& gateway_url, Status* status) {
  status->Clear();
  status->set_replicas(counts.existing);
  status->set_ready_replicas(counts.ready);
  status->set_desired_replicas(state.desired);
  status->set_url(UrlOf(*state.resource, gateway_url));
  status->set_observed_generation(state.resource->generation());
  for (const v1::Condition& condition : state.conditions) *status->add_conditions() = condition;
}

void AddEndpoint(const ReplicaState& state, const resource::Resource& resource,
                 v1::RegistryEntry* entry) {
  const v1::EndpointState endpoint_state = EndpointStateOf(state);
  if (endpoint_state == v1::ENDPOINT_STATE_UNSPECIFIED) return;
  v1::Endpoint* endpoint = entry->add_endpoints();
  endpoint->set_instance(state.replica.instance);
  endpoint->set_address(AddressOf(state));
  endpoint->set_state(endpoint_state);
  endpoint->set_concurrency(state.concurrency > 0 ? state.concurrency : resource.concurrency());
  endpoint->set_generation(state.replica.generation);
  *endpoint->mutable_start_time() = ToProto(state.replica.start_time);
  if (state.start.has_value()) *endpoint->mutable_start_timing() = state.start->timing;
  endpoint->set_platform_ref(state.replica.ref);
}

}  // namespace

ReplicaCounts CountReplicas(const ResourceState& state) {
  ReplicaCounts counts;
  for (const ReplicaState& replica : state.replicas) {
    if (replica.replica.phase == platform::ReplicaPhase::kDraining) {
      ++counts.draining;
      continue;
    }
    ++counts.existing;
    if (EndpointStateOf(replica) == v1::ENDPOINT_STATE_READY) {
      ++counts.ready;
    } else if (IsFailing(replica.replica)) {
      ++counts.failing;
    }
  }
  return counts;
}

v1::AgentPhase AgentPhaseOf(const ResourceState& state, const ReplicaCounts& counts) {
  if (state.conflict.has_value() || HasFailed(state, counts)) return v1::AGENT_PHASE_FAILED;
  const bool settled = counts.ready == state.desired && counts.existing == state.desired;
  if (settled) return counts.draining == 0 ? v1::AGENT_PHASE_READY : v1::AGENT_PHASE_SCALING;
  return counts.ready == 0 && state.desired > 0 ? v1::AGENT_PHASE_PENDING : v1::AGENT_PHASE_SCALING;
}

v1::ModelPhase ModelPhaseOf(const ResourceState& state, const ReplicaCounts& counts) {
  if (state.conflict.has_value() || HasFailed(state, counts)) return v1::MODEL_PHASE_FAILED;
  if (counts.ready > 0 || state.desired == 0) return v1::MODEL_PHASE_READY;
  return counts.existing == 0 ? v1::MODEL_PHASE_PENDING : v1::MODEL_PHASE_LOADING;
}

std::vector<v1::Condition> ConditionsOf(const ResourceState& state, const ReplicaCounts& counts,
                                        std::chrono::system_clock::time_point wall) {
  std::vector<v1::Condition> conditions;
  const Verdict available = Available(state, counts);
  conditions.push_back(MakeCondition(state, "Available", available, wall));
  if (state.conflict.has_value()) {
    Verdict verdict = {v1::CONDITION_STATUS_TRUE, "NameTaken", ConflictMessage(*state.conflict)};
    conditions.push_back(MakeCondition(state, resource::kNameConflict, std::move(verdict), wall));
  }
  conditions.push_back(MakeCondition(state, "Ready", Ready(state, available), wall));
  conditions.push_back(MakeCondition(state, "Progressing", Progressing(state, counts), wall));
  return conditions;
}

std::string UrlOf(const resource::Resource& resource, const std::string& gateway_url) {
  const absl::string_view base = absl::StripSuffix(gateway_url, "/");
  // A model is called under OpenAI's routes, which take its id in the body.
  if (resource.model() != nullptr) return absl::StrCat(base, "/v1");
  return absl::StrCat(base, "/v1/agents/", resource.key().namespace_(), "/", resource.key().name());
}

v1::RegistryEntry EntryOf(const ResourceState& state, const ReplicaCounts& counts,
                          const std::string& gateway_url) {
  v1::RegistryEntry entry;
  state.resource->FillEntry(&entry);
  if (entry.has_agent()) {
    v1::AgentStatus* status = entry.mutable_agent()->mutable_status();
    FillStatus(state, counts, gateway_url, status);
    status->set_phase(AgentPhaseOf(state, counts));
    if (state.published_invocation.has_value()) {
      *status->mutable_last_invocation_at() = *state.published_invocation;
    }
  } else {
    v1::ModelStatus* status = entry.mutable_model()->mutable_status();
    FillStatus(state, counts, gateway_url, status);
    status->set_phase(ModelPhaseOf(state, counts));
  }
  for (const ReplicaState& replica : state.replicas) {
    AddEndpoint(replica, *state.resource, &entry);
  }
  return entry;
}

}  // namespace krypton::manager
