// The list calls: check the request, select, sort, cut out the page. Pure functions over a
// snapshot. A request that cannot be meant is kInvalidArgument with google.rpc.BadRequest naming
// the field and what is allowed.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/catalog.h"
#include "krypton/v1/control_plane.pb.h"

namespace krypton::controlplane {

absl::StatusOr<v1::ListAgentsResponse> ListAgents(const v1::ListAgentsRequest& request,
                                                  const Entries& agents);
absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request,
                                                  const Entries& models);
absl::StatusOr<v1::ListEndpointsResponse> ListEndpoints(const v1::ListEndpointsRequest& request,
                                                        const Entries& all);

// A count that a caller may leave at 0: `standard` then, at most `max`. kInvalidArgument below 0.
absl::StatusOr<int> Bounded(const std::string& field, int value, int standard, int max);

}  // namespace krypton::controlplane
