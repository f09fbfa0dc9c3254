#include "manager/scaler/history.h"

#include <algorithm>

namespace krypton::scaler {

History::History(Duration window)
    : step_(std::max<Duration>(window / (kSteps - 4), std::chrono::milliseconds(1))),
      window_steps_(window / step_) {}

void History::Add(TimePoint now, double demand, int wanted) {
  const int64_t number = StepOf(now);
  while (!steps_.empty() && steps_.front().number < number - window_steps_) {
    steps_.erase(steps_.begin());
  }
  if (!steps_.empty() && steps_.back().number >= number) {
    Step& last = steps_.back();
    last.demand_sum += static_cast<float>(demand);
    last.samples += 1;
    last.wanted = std::max(last.wanted, wanted);
    return;
  }
  steps_.push_back({number, static_cast<float>(demand), 1, wanted});
}

int History::HighestWanted(TimePoint now) const {
  const int64_t oldest = StepOf(now) - window_steps_;
  int highest = 0;
  for (const Step& step : steps_) {
    if (step.number >= oldest) highest = std::max(highest, step.wanted);
  }
  return highest;
}

double History::MeanDemand(TimePoint from, TimePoint now, double demand_now) const {
  double sum = demand_now;
  int count = 1;
  const int64_t first = StepOf(from);
  const int64_t last = StepOf(now);
  for (auto step = steps_.rbegin(); step != steps_.rend() && step->number > first; ++step) {
    if (step->number >= last) continue;
    sum += step->demand_sum / static_cast<float>(step->samples);
    ++count;
  }
  return sum / count;
}

}  // namespace krypton::scaler
