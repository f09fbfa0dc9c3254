// Durations as Go writes them, which is how Kubernetes and all of Krypton's flags and manifests do:
// "300s", "1h30m", "1.5s", "250ms", "0". Pure functions; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace krypton::config {

// Go's time.ParseDuration: an optional sign, then decimal numbers, each with a unit out of ns, us,
// µs, ms, s, m, h; "0" needs no unit. kInvalidArgument otherwise, or beyond ±292 years.
absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view text);

// The shortest text that ParseDuration reads back: "1h30m", "90ms"; zero is "0s".
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace krypton::config
