// A rate with a burst, as golang.org/x/time/rate: tokens come at `per_second`, at most `burst` wait
// to be taken. A value that its owner locks; time comes from outside.
#pragma once

#include <algorithm>
#include <chrono>

namespace krypton::kube {

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  // Requires: both above 0.
  TokenBucket(double per_second, int burst)
      : per_second_(per_second), tokens_(burst), burst_(burst) {}

  // Takes a token, if need be of the future, and returns how long the caller has to wait for it.
  std::chrono::nanoseconds Reserve(Clock::time_point now) {
    Fill(now);
    tokens_ -= 1;
    if (tokens_ >= 0) return std::chrono::nanoseconds(0);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(-tokens_ / per_second_));
  }

  // Takes a token if there is one.
  bool Take(Clock::time_point now) {
    Fill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  void Fill(Clock::time_point now) {
    const std::chrono::duration<double> passed = now - filled_;
    if (passed.count() <= 0) return;
    tokens_ = std::min<double>(burst_, tokens_ + passed.count() * per_second_);
    filled_ = now;
  }

  double per_second_;
  double tokens_;
  int burst_;
  // The clock's beginning: from there to `now` no subtraction overflows, however long a machine is
  // up.
  Clock::time_point filled_{};
};

}  // namespace krypton::kube
