// The sidecar's container and what only it mounts: its key and certificate, and the token that says
// which pod it is. Pure; private to objects/.
#pragma once

#include "boost/json/array.hpp"
#include "boost/json/object.hpp"
#include "common/resource/resource.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {

boost::json::object ProxyContainer(const resource::Resource& resource,
                                   const ObjectSettings& settings);
boost::json::array ProxyVolumes(const v1::ResourceKey& key);

}  // namespace krypton::kube
