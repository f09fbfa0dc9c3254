#include "common/rpc/backoff.h"

#include <algorithm>
#include <cmath>

namespace krypton::rpc {

Backoff::Backoff(Settings settings, uint64_t seed)
    : settings_(settings),
      random_(
          static_cast<std::minstd_rand::result_type>(seed != 0 ? seed : std::random_device()())),
      step_ms_(static_cast<double>(settings.min.count())) {}

std::chrono::milliseconds Backoff::Next() {
  const double wait_ms = std::uniform_real_distribution<double>(step_ms_ / 2, step_ms_)(random_);
  step_ms_ = std::min(step_ms_ * settings_.factor, static_cast<double>(settings_.max.count()));
  return std::chrono::milliseconds(std::llround(wait_ms));
}

void Backoff::Reset() { step_ms_ = static_cast<double>(settings_.min.count()); }

}  // namespace krypton::rpc
