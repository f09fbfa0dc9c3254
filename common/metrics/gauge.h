// A family of one series, for what is read at each scrape. Pure; any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace krypton::metrics {

prometheus::MetricFamily Gauge(std::string name, std::string help, double value,
                               std::vector<prometheus::ClientMetric::Label> labels = {});

}  // namespace krypton::metrics
