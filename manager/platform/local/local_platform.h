// The platform of one machine: resources come from folders of manifests, replicas are processes.
// See platform.h for what it promises, README.md for how it works. It owns one thread, which does
// all.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "manager/platform/local/settings.h"
#include "manager/platform/platform.h"

namespace krypton::platform {

std::unique_ptr<Platform> NewLocalPlatform(LocalSettings settings);

}  // namespace krypton::platform
