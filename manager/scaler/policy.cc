#include "manager/scaler/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace krypton::scaler {
namespace {

// Below this a demand is none: means over time are floating point.
constexpr double kNoDemand = 1e-6;

// A number of replicas and the rule that set it.
struct Verdict {
  int replicas;
  v1::ScalingRule rule;
};

int Ceil(double load) {
  const double rounded = std::ceil(load - 1e-6);
  return rounded >= std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                                    : static_cast<int>(std::max(rounded, 0.0));
}

// How many replicas the load asks for when the number may only grow.
int Upward(double capacity, const ScalingSpec& spec, const PolicySettings& settings,
           const Load& load, const History& history, int previous, TimePoint now) {
  const double carried = static_cast<double>(previous) * spec.concurrency;
  if (previous == 0 || load.demand() > carried * (1 + settings.tolerance)) {
    return Ceil(load.demand() / capacity);
  }
  const double mean =
      history.MeanDemand(now - settings.averaging_window, now, load.demand()) / capacity;
  return mean > previous * (1 + settings.tolerance) ? Ceil(mean) : previous;
}

// How many replicas may be kept when the number may only fall.
Verdict Downward(const ScalingSpec& spec, const Load& load, const History& history, int wanted,
                 int previous, TimePoint now) {
  const bool idle = load.demand() < kNoDemand;
  if (spec.serverless && idle && now - load.last_active >= spec.scale_to_zero_after) {
    return {spec.floor, spec.floor == 0 ? v1::SCALING_RULE_IDLE : v1::SCALING_RULE_MIN_REPLICAS};
  }
  if (wanted >= previous) return {previous, v1::SCALING_RULE_DEMAND};
  const int highest = std::max(wanted, history.HighestWanted(now));
  if (spec.serverless && highest < 1) return {1, v1::SCALING_RULE_COOLING_DOWN};
  return {highest, v1::SCALING_RULE_STABLE_WINDOW};
}

Verdict Clamp(Verdict verdict, const ScalingSpec& spec) {
  if (verdict.replicas > spec.max) return {spec.max, v1::SCALING_RULE_MAX_REPLICAS};
  if (verdict.replicas < spec.floor) return {spec.floor, v1::SCALING_RULE_MIN_REPLICAS};
  return verdict;
}

std::string Explain(const ScalingSpec& spec, const PolicySettings& settings, const Load& load,
                    const Decision& decision) {
  const std::string demand = absl::StrFormat(
      "demand %.1f (in flight %.1f, waiting %.0f) at concurrency %d × %.2f wants %d", load.demand(),
      load.in_flight, load.waiting, spec.concurrency, settings.target_utilization, decision.wanted);
  switch (decision.rule) {
    case v1::SCALING_RULE_WAKE:
      return absl::StrFormat("%.0f waiting and nothing runs: woken", load.waiting);
    case v1::SCALING_RULE_STABLE_WINDOW:
      return absl::StrFormat("%s; down to the highest wanted within %ds", demand,
                             static_cast<int>(settings.stable_window.count() / 1000));
    case v1::SCALING_RULE_IDLE:
      return absl::StrFormat(
          "no demand for %ds: to zero",
          static_cast<int>(
              std::chrono::duration_cast<std::chrono::seconds>(spec.scale_to_zero_after).count()));
    case v1::SCALING_RULE_COOLING_DOWN:
      return "no demand, but for less than scaleToZeroAfter: one replica stays";
    case v1::SCALING_RULE_MIN_REPLICAS:
      return absl::StrFormat("%s; never fewer than %d", demand, spec.floor);
    case v1::SCALING_RULE_MAX_REPLICAS:
      return absl::StrFormat("%s; never more than %d", demand, spec.max);
    case v1::SCALING_RULE_SOURCES_UNKNOWN:
      return absl::StrFormat("%s; %d of %d sources are silent or new: nothing goes down", demand,
                             load.silent_sources, load.sources);
    default:
      return demand;
  }
}

}  // namespace

v1::ScalingDirection Decision::direction() const {
  if (desired > previous) return v1::SCALING_DIRECTION_UP;
  if (desired < previous) return v1::SCALING_DIRECTION_DOWN;
  return v1::SCALING_DIRECTION_NOOP;
}

Decision Decide(const ScalingSpec& spec, const PolicySettings& settings, const Load& load,
                const History& history, int previous, TimePoint now) {
  const double capacity = spec.concurrency * settings.target_utilization;
  Decision decision;
  decision.previous = previous;
  decision.wanted = Ceil(load.demand() / capacity);

  const int up = Upward(capacity, spec, settings, load, history, previous, now);
  Verdict verdict = {up, v1::SCALING_RULE_DEMAND};
  if (up <= previous && previous > 0) {
    verdict = Downward(spec, load, history, decision.wanted, previous, now);
    if (verdict.replicas >= previous) verdict.replicas = previous;
    if (verdict.replicas < previous && (load.silent_sources > 0 || load.unsettled)) {
      verdict = {previous, v1::SCALING_RULE_SOURCES_UNKNOWN};
    }
  }
  verdict = Clamp(verdict, spec);
  if (previous == 0 && verdict.replicas > 0 && load.waiting > 0) {
    verdict.rule = v1::SCALING_RULE_WAKE;
  }
  decision.desired = verdict.replicas;
  decision.rule = verdict.rule;
  if (decision.desired != previous) decision.reason = Explain(spec, settings, load, decision);
  return decision;
}

}  // namespace krypton::scaler
