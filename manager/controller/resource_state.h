// What the manager knows of one resource, from its three sources: what the platform says (the
// resource and its replicas), what the sidecars say of themselves, and what the scaler decided.
// Belongs to the Controller and is guarded by its lock.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/resource/resource.h"
#include "krypton/v1/registry.pb.h"
#include "krypton/v1/scaling.pb.h"
#include "manager/controller/decision_log.h"
#include "manager/platform/platform.h"

namespace krypton::manager {

// How a replica's start is measured: set for those that a waiting request has caused.
struct StartClock {
  std::chrono::steady_clock::time_point decided_at;
  v1::StartTiming timing;
};

// A replica: the platform's word, and what its sidecar says as long as its stream is up.
struct ReplicaState {
  platform::Replica replica;
  // Of the present stream; 0: none.
  uint64_t stream = 0;
  v1::EndpointState reported = v1::ENDPOINT_STATE_UNSPECIFIED;
  // Kept when the stream breaks.
  int port = 0;
  int concurrency = 0;
  // As last reported.
  double in_flight = 0;
  std::optional<std::chrono::steady_clock::time_point> first_report;
  std::optional<StartClock> start;
};

struct ResourceState {
  std::shared_ptr<const resource::Resource> resource;
  std::vector<ReplicaState> replicas;
  int desired = 0;
  // What keeps the platform from making replicas.
  std::string trouble;
  // The earlier resource that has the same namespace and name, if there is one: this one is not
  // run.
  std::optional<v1::ResourceKey> conflict;
  // The latest that a sidecar said, and what the registry says.
  std::optional<google::protobuf::Timestamp> last_invocation;
  std::optional<google::protobuf::Timestamp> published_invocation;
  std::vector<v1::Condition> conditions;
  // A fingerprint of the status that the platform was told last.
  std::optional<size_t> told_status;
  // Of a wake whose first replica has not appeared yet.
  std::optional<StartClock> wake;
  DecisionLog decisions;

  ReplicaState* Find(const std::string& instance);
  // What is desired, the conditions and the last invocation, as the resource's own status says.
  void TakeObserved();
};

// What was desired when the resource's own status was written.
int ObservedDesired(const resource::Resource& resource);
// As a gateway may use it; UNSPECIFIED: not at all, the replica is no endpoint.
v1::EndpointState EndpointStateOf(const ReplicaState& replica);
// `host:port`, the host from the platform; empty as long as a part is not known.
std::string AddressOf(const ReplicaState& replica);

}  // namespace krypton::manager
