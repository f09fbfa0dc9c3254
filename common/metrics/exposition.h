// What /metrics answers: Prometheus' text format 0.0.4, or OpenMetrics 1.0 for a client that
// prefers it. Pure functions; any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

namespace krypton::metrics {

enum class Format { kText, kOpenMetrics };

// By the Accept header (RFC 9110 §12.5.1, q-values); text unless OpenMetrics 1.0 is preferred.
Format ChooseFormat(std::string_view accept);

// The exact Content-Type; since Prometheus 3 another one fails the scrape.
std::string_view ContentType(Format format);

std::string Serialize(const std::vector<prometheus::MetricFamily>& families, Format format);

// True when Accept-Encoding admits gzip.
bool AcceptsGzip(std::string_view accept_encoding);
std::string Gzip(std::string_view content);

}  // namespace krypton::metrics
