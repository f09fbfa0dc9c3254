// The container that the user declares. Pure; private to objects/.
#pragma once

#include <string>

#include "boost/json/object.hpp"
#include "common/resource/resource.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {

inline constexpr char kCacheVolume[] = "krypton-cache";

// Of an agent the image as declared; of a model llama.cpp's server, with a cache for its weights
// and probes of /health.
boost::json::object AgentContainer(const resource::Resource& resource,
                                   const ObjectSettings& settings, const std::string& drain_token);

}  // namespace krypton::kube
