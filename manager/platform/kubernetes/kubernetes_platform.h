// Replicas as pods of a cluster: reads Agents and Models from the API server, makes a Deployment
// and what belongs to it for each that runs, and tells the manager of the pods. Of several managers
// the one that holds the Lease writes; all read.
//
// As platform.h says; Stop leaves all replicas running and gives up the leadership.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "manager/platform/kubernetes/settings.h"
#include "manager/platform/platform.h"

namespace prometheus {
class Registry;
}

namespace krypton::platform {

// kInvalidArgument for settings that are missing or contradict one another; what they name is read.
absl::StatusOr<std::unique_ptr<Platform>> NewKubernetesPlatform(KubernetesSettings settings,
                                                                prometheus::Registry& metrics);

}  // namespace krypton::platform
