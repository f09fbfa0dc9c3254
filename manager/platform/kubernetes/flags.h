// The manager's flags for a cluster.
#pragma once

#include "manager/platform/kubernetes/settings.h"

namespace krypton::config {
class Flags;
}

namespace krypton::platform {

void AddKubernetesFlags(config::Flags& flags, KubernetesSettings* settings);

}  // namespace krypton::platform
