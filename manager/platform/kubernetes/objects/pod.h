// The pods of an Agent or a Model: the user's container `agent` as the spec says it, and before it
// the sidecar `krypton-proxy`, an init container that goes on running (a native sidecar). Pure.
//
// Kubernetes ends the agent before the sidecar, so the agent's preStop drains through the sidecar.
// What is added satisfies the restricted Pod Security level; what the user says is passed through.
#pragma once

#include <string>

#include "boost/json/object.hpp"
#include "common/resource/resource.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {

// `drain_token`: what the sidecar's /drain demands of the kubelet.
boost::json::object PodTemplate(const resource::Resource& resource, const ObjectSettings& settings,
                                const std::string& drain_token);

// The labels of all that belongs to a resource; its pods have the user's besides.
boost::json::object OwnLabels(const v1::ResourceKey& key);

}  // namespace krypton::kube
