// How a follower of the registry stands, read at each scrape: krypton_registry_connected,
// krypton_registry_version and krypton_registry_lag_seconds.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "common/registry/client.h"

namespace krypton::registry {

// Any thread.
std::vector<prometheus::MetricFamily> CollectState(const Client& client);

}  // namespace krypton::registry
