// The trace that a request belongs to, as its `traceparent` field says it (W3C Trace Context,
// §3.2): what an exemplar points to. A value; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace krypton::metrics {

struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  // All zero is no trace's id (§3.2.2.3).
  explicit operator bool() const { return (high | low) != 0; }
  bool operator==(const TraceId&) const = default;
};

// The trace of a valid `traceparent` whose sampled flag is set; otherwise none, since nobody could
// look the trace up.
TraceId SampledTrace(std::string_view traceparent);

}  // namespace krypton::metrics
