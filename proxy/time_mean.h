// TimeMean is the mean over time of a number that changes in steps: 3 requests for 1 s and none for
// 2 s are 1. Not thread-safe; its owner brings the clock and the lock.
#pragma once

#include <chrono>

namespace krypton::proxy {

class TimeMean {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit TimeMean(TimePoint start) : window_start_(start), last_(start) {}

  // From `now` on the number is `value`.
  void Set(TimePoint now, int value) {
    area_ += value_ * Seconds(now - last_);
    last_ = now;
    value_ = value;
  }

  // The mean since the last Take, or the number itself when no time has passed; a new window
  // begins.
  double Take(TimePoint now) {
    Set(now, value_);
    const double window = Seconds(now - window_start_);
    const double mean = window > 0 ? area_ / window : value_;
    area_ = 0;
    window_start_ = now;
    return mean;
  }

 private:
  static double Seconds(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  }

  TimePoint window_start_;
  TimePoint last_;
  int value_ = 0;
  double area_ = 0;  // Under the steps, since the window's start.
};

}  // namespace krypton::proxy
