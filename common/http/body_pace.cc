#include "common/http/body_pace.h"

#include <algorithm>
#include <utility>

namespace krypton::http {

void BodyPace::Require(uint64_t bytes_per_second, Duration patience) {
  if (bytes_per_second == 0) return;
  bytes_per_second_ = bytes_per_second;
  most_ = left_ = patience;
}

BodyPace::Duration BodyPace::Patience(uint64_t received) {
  if (bytes_per_second_ == 0) return Duration::max();
  const uint64_t bytes = received - std::exchange(paid_for_, received);
  const std::chrono::duration<double> paid(static_cast<double>(bytes) /
                                           static_cast<double>(bytes_per_second_));
  // Compared before it is converted: a large body's seconds need not fit.
  left_ = paid >= most_ - left_ ? most_ : left_ + std::chrono::duration_cast<Duration>(paid);
  return std::max(left_, Duration::zero());
}

}  // namespace krypton::http
