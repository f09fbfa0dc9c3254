// The registry's entry of a resource, out of what is known of it: a pure function. Status follows
// Kubernetes' habits: conditions say what is so, `phase` is derived and for people.
#pragma once

#include <chrono>
#include <string>

#include "krypton/v1/registry.pb.h"
#include "manager/controller/resource_state.h"

namespace krypton::manager {

// How the replicas of one resource stand.
struct ReplicaCounts {
  int existing = 0;  // Without those that drain.
  int ready = 0;
  int draining = 0;
  // Failed, or tried again after they failed.
  int failing = 0;
};
ReplicaCounts CountReplicas(const ResourceState& state);

v1::AgentPhase AgentPhaseOf(const ResourceState& state, const ReplicaCounts& counts);
v1::ModelPhase ModelPhaseOf(const ResourceState& state, const ReplicaCounts& counts);

// `Available` (calls are answered, also where the next one starts a replica), `Ready` (that, by
// what was declared last: the one summary), `Progressing` (replicas come or go), and `NameConflict`
// where another resource has the name. A condition keeps the time of its last transition from
// `state.conditions` as long as its status is the same.
std::vector<v1::Condition> ConditionsOf(const ResourceState& state, const ReplicaCounts& counts,
                                        std::chrono::system_clock::time_point wall);

// Where the resource is called, through the gateway.
std::string UrlOf(const resource::Resource& resource, const std::string& gateway_url);

// Requires: state.resource; state.conditions are those to show.
v1::RegistryEntry EntryOf(const ResourceState& state, const ReplicaCounts& counts,
                          const std::string& gateway_url);

}  // namespace krypton::manager
