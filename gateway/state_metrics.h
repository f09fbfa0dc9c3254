// Gauges that are read when somebody scrapes: what waits and runs per agent, and how the gateway
// stands with the manager.
#pragma once

#include "common/metrics/registry.h"
#include "common/registry/client.h"
#include "gateway/route_table.h"

namespace krypton::gateway {

// `routes` and `client` must outlive the last scrape, which any thread may make. Once a registry.
void AddStateMetrics(metrics::Registry& registry, const RouteTable& routes,
                     const registry::Client& client);

}  // namespace krypton::gateway
