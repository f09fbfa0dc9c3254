#include "manager/scaler/history.h"

#include <algorithm>

namespace krypton::scaler {

History::History(Duration window)
    : step_(std::max<Duration>(window / (kSteps - 4), std::chrono::milliseconds(1))),
      window_steps_(window / step_) {}

void History::Add(TimePoint now, double demand, int wanted) {
  const int64_t number = StepOf(now);
  if (used_ > 0 && Back(0).number >= number) {
    Step& last = steps_[newest_];
    last.demand_sum += static_cast<float>(demand);
    last.samples += 1;
    last.wanted = std::max(last.wanted, wanted);
    return;
  }
  steps_.resize(kSteps);
  newest_ = (newest_ + 1) % kSteps;
  steps_[newest_] = {number, static_cast<float>(demand), 1, wanted};
  used_ = std::min(used_ + 1, kSteps);
}

int History::HighestWanted(TimePoint now) const {
  const int64_t oldest = StepOf(now) - window_steps_;
  int highest = 0;
  for (size_t age = 0; age < used_ && Back(age).number >= oldest; ++age) {
    highest = std::max(highest, Back(age).wanted);
  }
  return highest;
}

double History::MeanDemand(TimePoint from, TimePoint now, double demand_now) const {
  double sum = demand_now;
  int count = 1;
  const int64_t first = StepOf(from);
  const int64_t last = StepOf(now);
  for (size_t age = 0; age < used_ && Back(age).number > first; ++age) {
    const Step& step = Back(age);
    if (step.number >= last) continue;
    sum += step.demand_sum / static_cast<float>(step.samples);
    ++count;
  }
  return sum / count;
}

}  // namespace krypton::scaler
