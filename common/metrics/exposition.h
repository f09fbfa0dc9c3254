// What a client of /metrics takes: text 0.0.4 or OpenMetrics 1.0, plain or zipped. Nobody is
// refused with 406: whoever names neither format gets text, as from every Prometheus client
// library. The functions are pure; any thread.
#pragma once

#include <memory>
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

// Zips a text that comes in pieces (RFC 1952, one member): neither the whole text nor one long
// stretch of work. One thread.
class Gzip {
 public:
  Gzip();
  ~Gzip();

  // At most 4 GiB at once.
  void Add(std::string_view text);
  // What all of it became. Nothing may be added then.
  std::string Finish();

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::metrics
