#include "common/metrics/trace.h"

#include <optional>

namespace krypton::metrics {
namespace {

// version "-" trace-id "-" parent-id "-" trace-flags
constexpr size_t kLength = 55;
constexpr size_t kTraceAt = 3;
constexpr size_t kParentAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr uint64_t kSampled = 1;

// Lower case only, as the standard demands.
std::optional<uint64_t> Hex(std::string_view text) {
  uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

}  // namespace

TraceId SampledTrace(std::string_view traceparent) {
  if (traceparent.size() < kLength) return {};
  const std::optional<uint64_t> version = Hex(traceparent.substr(0, 2));
  if (!version || *version == 0xff) return {};
  // Later versions may append fields.
  if (traceparent.size() > kLength && (*version == 0 || traceparent[kLength] != '-')) return {};
  for (const size_t dash : {kTraceAt - 1, kParentAt - 1, kFlagsAt - 1}) {
    if (traceparent[dash] != '-') return {};
  }
  const auto high = Hex(traceparent.substr(kTraceAt, 16));
  const auto low = Hex(traceparent.substr(kTraceAt + 16, 16));
  const auto parent = Hex(traceparent.substr(kParentAt, 16));
  const auto flags = Hex(traceparent.substr(kFlagsAt, 2));
  if (!high || !low || !parent || *parent == 0 || !flags || !(*flags & kSampled)) return {};
  return {*high, *low};
}

}  // namespace krypton::metrics
