// What a client of /metrics takes: text 0.0.4 or OpenMetrics 1.0, plain or zipped. Nobody is
// refused with 406: whoever names neither format gets text, as from every Prometheus client
// library. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "common/metrics/writer.h"

namespace krypton::metrics {

// By the Accept header (RFC 9110 §12.5.1, q-values); text unless OpenMetrics 1.0 is preferred.
Format ChooseFormat(std::string_view accept);

// The exact Content-Type; since Prometheus 3 another one fails the scrape.
std::string_view ContentType(Format format);

// True when Accept-Encoding admits gzip.
bool AcceptsGzip(std::string_view accept_encoding);
std::string Gzip(std::string_view content);

}  // namespace krypton::metrics
