#include <algorithm>
#include <cstdio>

#include "manager/bench/figures.h"

namespace krypton::manager {

void PrintTimes(const std::string& figure, std::vector<double> milliseconds, double budget_ms) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](double part) {
    if (milliseconds.empty()) return 0.0;
    const auto index = static_cast<size_t>(part * static_cast<double>(milliseconds.size()));
    return milliseconds[std::min(index, milliseconds.size() - 1)];
  };
  std::printf(
      "{\"figure\":\"%s\",\"samples\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
      "\"budget_p99_ms\":%.1f}\n",
      figure.c_str(), milliseconds.size(), at(0.5), at(0.99), at(1), budget_ms);
  std::fflush(stdout);
}

}  // namespace krypton::manager
