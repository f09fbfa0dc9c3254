#include "manager/controller/resource_state.h"

#include <algorithm>

#include "common/config/address.h"

namespace krypton::manager {

ReplicaState* ResourceState::Find(const std::string& instance) {
  const auto found = std::find_if(replicas.begin(), replicas.end(), [&](const ReplicaState& state) {
    return state.replica.instance == instance;
  });
  return found == replicas.end() ? nullptr : &*found;
}

void ResourceState::TakeObserved() {
  desired = ObservedDesired(*resource);
  const auto take = [this](const auto& status) {
    conditions.assign(status.conditions().begin(), status.conditions().end());
  };
  resource->agent() != nullptr ? take(resource->agent()->status())
                               : take(resource->model()->status());
  if (resource->agent() != nullptr && resource->agent()->status().has_last_invocation_at()) {
    last_invocation = resource->agent()->status().last_invocation_at();
    published_invocation = last_invocation;
  }
}

int ObservedDesired(const resource::Resource& resource) {
  return resource.agent() != nullptr ? resource.agent()->status().desired_replicas()
                                     : resource.model()->status().desired_replicas();
}

std::string AddressOf(const ReplicaState& state) {
  const std::string& address = state.replica.address;
  if (address.empty()) return "";
  if (const auto parsed = config::ParseHostPort(address); parsed.ok() && parsed->port != 0) {
    return address;
  }
  if (state.port == 0) return "";
  return config::ToString({address, static_cast<uint16_t>(state.port)});
}

v1::EndpointState EndpointStateOf(const ReplicaState& state) {
  switch (state.replica.phase) {
    case platform::ReplicaPhase::kFailed:
      return v1::ENDPOINT_STATE_UNSPECIFIED;
    case platform::ReplicaPhase::kDraining:
      return v1::ENDPOINT_STATE_DRAINING;
    case platform::ReplicaPhase::kStarting:
    case platform::ReplicaPhase::kRunning:
      break;
  }
  v1::EndpointState said = state.reported;
  if (state.stream == 0) {
    said = state.replica.phase == platform::ReplicaPhase::kRunning ? v1::ENDPOINT_STATE_READY
                                                                   : v1::ENDPOINT_STATE_STARTING;
  }
  if (said == v1::ENDPOINT_STATE_READY && AddressOf(state).empty()) {
    return v1::ENDPOINT_STATE_STARTING;
  }
  return said == v1::ENDPOINT_STATE_UNSPECIFIED ? v1::ENDPOINT_STATE_STARTING : said;
}

}  // namespace krypton::manager
