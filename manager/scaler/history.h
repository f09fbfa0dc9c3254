// What was seen of one resource's load within the stable window, in at most 64 steps of equal
// length, whatever the number of samples. A value; belongs to whoever holds it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace krypton::scaler {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class History {
 public:
  // Requires: window > 0.
  explicit History(Duration window);

  // Requires: `now` is not before that of an earlier call.
  void Add(TimePoint now, double demand, int wanted);
  // The highest `wanted` within the window; 0 when nothing is known.
  int HighestWanted(TimePoint now) const;
  // The mean demand since `from`, together with `demand_now` as one more step.
  double MeanDemand(TimePoint from, TimePoint now, double demand_now) const;
  void Clear() { used_ = 0; }
  size_t size() const { return used_; }

 private:
  struct Step {
    int64_t number;  // Of the step, since the clock's epoch.
    float demand_sum;
    int32_t samples;
    int32_t wanted;
  };
  static constexpr size_t kSteps = 64;

  int64_t StepOf(TimePoint at) const { return at.time_since_epoch() / step_; }
  // The newest is 0.
  const Step& Back(size_t age) const { return steps_[(newest_ + kSteps - age) % kSteps]; }

  Duration step_;
  int64_t window_steps_;
  // A ring; empty until the first step, since most resources sleep.
  std::vector<Step> steps_;
  size_t newest_ = 0;
  size_t used_ = 0;
};

}  // namespace krypton::scaler
