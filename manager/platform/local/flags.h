// The manager's flags of the local platform.
#pragma once

#include "manager/platform/local/settings.h"

namespace krypton::config {
class Flags;
}

namespace krypton::platform {

// --manifests, --state-dir, --proxy-binary, --supervisor-binary, --gateway-url, --orphan-timeout,
// --max-drain-time, --replica-log-bytes. Not the manager's address, which the manager knows itself.
void AddLocalFlags(config::Flags& flags, LocalSettings* settings);

}  // namespace krypton::platform
