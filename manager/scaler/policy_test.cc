// The specification of scaling, as tables. Times are seconds on a clock of the test's own.
#include "manager/scaler/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace krypton::scaler {
namespace {

using std::chrono::seconds;

constexpr TimePoint At(int second) { return TimePoint(seconds(100'000 + second)); }

// An agent with concurrency 8: at a target of 0.8 a replica is worth 6.4 requests.
ScalingSpec AlwaysOn(int floor = 1, int max = 10) {
  return {.serverless = false, .floor = floor, .max = max, .concurrency = 8};
}

ScalingSpec Serverless(int max = 10, seconds to_zero_after = seconds(300)) {
  return {.serverless = true,
          .floor = 0,
          .max = max,
          .concurrency = 8,
          .scale_to_zero_after = to_zero_after};
}

Load Demand(double in_flight, double waiting = 0) {
  Load load;
  load.in_flight = in_flight;
  load.waiting = waiting;
  load.last_active = At(0);
  load.sources = 1;
  return load;
}

History NoHistory() { return History(seconds(60)); }

// `wanted` was wanted at each second from `from` to `to`, by a demand that matches.
void Remember(History& history, int from, int to, int wanted) {
  for (int second = from; second <= to; ++second) history.Add(At(second), wanted * 6.4, wanted);
}

struct Row {
  std::string name;
  ScalingSpec spec;
  Load load;
  int previous;
  int desired;
  v1::ScalingRule rule;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class PolicyTable : public testing::TestWithParam<Row> {};

TEST_P(PolicyTable, Decides) {
  const Row& row = GetParam();
  const Decision decision =
      Decide(row.spec, PolicySettings(), row.load, NoHistory(), row.previous, At(0));
  EXPECT_EQ(decision.desired, row.desired) << decision.reason;
  EXPECT_EQ(v1::ScalingRule_Name(decision.rule), v1::ScalingRule_Name(row.rule));
  EXPECT_EQ(decision.reason.empty(), row.desired == row.previous);
}

INSTANTIATE_TEST_SUITE_P(
    Up, PolicyTable,
    testing::Values(
        Row{"WaitingAtZeroWakes", Serverless(), Demand(0, 1), 0, 1, v1::SCALING_RULE_WAKE},
        Row{"ACrowdAtZeroWakesAsManyAsItNeeds", Serverless(), Demand(0, 20), 0, 4,
            v1::SCALING_RULE_WAKE},
        Row{"AThousandAtZeroWakesMax", Serverless(), Demand(0, 1000), 0, 10, v1::SCALING_RULE_WAKE},
        Row{"WaitingScalesOutAtOnce", AlwaysOn(), Demand(8, 12), 1, 4, v1::SCALING_RULE_DEMAND},
        Row{"MoreInFlightThanTheReplicasCarryScalesOutAtOnce", AlwaysOn(), Demand(19.2), 2, 3,
            v1::SCALING_RULE_DEMAND},
        Row{"ExactlyAReplicasWorthIsOneReplica", AlwaysOn(), Demand(6.4), 1, 1,
            v1::SCALING_RULE_DEMAND},
        Row{"ATenthMoreThanTheReplicasIsNoise", AlwaysOn(), Demand(6.9), 1, 1,
            v1::SCALING_RULE_DEMAND},
        Row{"MoreThanATenthIsNot", AlwaysOn(), Demand(7.1), 1, 2, v1::SCALING_RULE_DEMAND},
        Row{"NeverMoreThanMax", AlwaysOn(1, 3), Demand(24, 200), 2, 3,
            v1::SCALING_RULE_MAX_REPLICAS},
        Row{"MaxWasLowered", AlwaysOn(1, 2), Demand(24), 5, 2, v1::SCALING_RULE_MAX_REPLICAS},
        Row{"MinWasRaised", AlwaysOn(3), Demand(0), 1, 3, v1::SCALING_RULE_MIN_REPLICAS}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(Down, PolicyTable,
                         testing::Values(Row{"AlwaysOnKeepsItsFloor", AlwaysOn(2), Demand(0), 4, 2,
                                             v1::SCALING_RULE_MIN_REPLICAS},
                                         Row{"ServerlessKeepsOneWhileItCoolsDown", Serverless(),
                                             Demand(0), 3, 1, v1::SCALING_RULE_COOLING_DOWN},
                                         Row{"ServerlessAtZeroStaysThere", Serverless(), Demand(0),
                                             0, 0, v1::SCALING_RULE_DEMAND},
                                         Row{"LessThanTheReplicasWithoutHistoryFalls", AlwaysOn(),
                                             Demand(7), 4, 2, v1::SCALING_RULE_STABLE_WINDOW}),
                         [](const auto& row) { return row.param.name; });

TEST(PolicyTest, DownOnlyToTheHighestWantedWithinTheWindow) {
  History history = NoHistory();
  Remember(history, 0, 0, 6);
  Remember(history, 1, 59, 2);
  EXPECT_EQ(Decide(AlwaysOn(), {}, Demand(6), history, 8, At(60)).desired, 6);
  const Decision later = Decide(AlwaysOn(), {}, Demand(6), history, 6, At(63));
  EXPECT_EQ(later.desired, 2);
  EXPECT_EQ(later.rule, v1::SCALING_RULE_STABLE_WINDOW);
}

TEST(PolicyTest, ConstantDemandSettlesAtExactlyWhatTheFormulaSays) {
  History history = NoHistory();
  Remember(history, 0, 70, 5);
  EXPECT_EQ(Decide(AlwaysOn(), {}, Demand(5 * 6.4), history, 10, At(71)).desired, 5);
}

TEST(PolicyTest, IdleForScaleToZeroAfterGoesToZeroEvenWithinTheStableWindow) {
  History history = NoHistory();
  Remember(history, 0, 0, 4);
  const ScalingSpec spec = Serverless(10, seconds(10));
  EXPECT_EQ(Decide(spec, {}, Demand(0), history, 4, At(9)).desired, 4);
  const Decision decision = Decide(spec, {}, Demand(0), history, 4, At(10));
  EXPECT_EQ(decision.desired, 0);
  EXPECT_EQ(decision.rule, v1::SCALING_RULE_IDLE);
}

TEST(PolicyTest, ActivityWithoutDemandKeepsAwake) {
  // A stream on which bytes flow: no demand, but not idle.
  Load load = Demand(0);
  load.last_active = At(95);
  EXPECT_EQ(Decide(Serverless(10, seconds(10)), {}, load, NoHistory(), 1, At(100)).desired, 1);
  EXPECT_EQ(Decide(Serverless(10, seconds(10)), {}, load, NoHistory(), 1, At(105)).desired, 0);
}

TEST(PolicyTest, AServerlessFloorIsWhatItFallsTo) {
  ScalingSpec spec = Serverless(10, seconds(10));
  spec.floor = 2;
  const Decision decision = Decide(spec, {}, Demand(0), NoHistory(), 5, At(20));
  EXPECT_EQ(decision.desired, 2);
  EXPECT_EQ(decision.rule, v1::SCALING_RULE_MIN_REPLICAS);
}

TEST(PolicyTest, NothingGoesDownWhileASourceIsSilent) {
  Load load = Demand(1);
  load.sources = 4;
  load.silent_sources = 1;
  const Decision decision = Decide(AlwaysOn(), {}, load, NoHistory(), 4, At(0));
  EXPECT_EQ(decision.desired, 4);
  EXPECT_EQ(decision.rule, v1::SCALING_RULE_SOURCES_UNKNOWN);
  // But up it goes.
  load.waiting = 60;
  EXPECT_EQ(Decide(AlwaysOn(), {}, load, NoHistory(), 4, At(0)).desired, 10);
}

TEST(PolicyTest, NothingGoesDownBeforeTheSourcesAreSettled) {
  Load load = Demand(0);
  load.unsettled = true;
  EXPECT_EQ(Decide(Serverless(10, seconds(10)), {}, load, NoHistory(), 2, At(50)).desired, 2);
}

TEST(PolicyTest, BelowFullUseTheAverageDecides) {
  // One replica carries 8; 7.5 for a second is within its room, for six seconds it is not.
  History history = NoHistory();
  Remember(history, 0, 9, 1);
  EXPECT_EQ(Decide(AlwaysOn(), {}, Demand(7.5), history, 1, At(10)).desired, 1);
  for (int second = 10; second < 16; ++second) history.Add(At(second), 7.5, 2);
  EXPECT_EQ(Decide(AlwaysOn(), {}, Demand(7.5), history, 1, At(16)).desired, 2);
}

TEST(HistoryTest, IsBoundedWhateverTheNumberOfSamples) {
  History history(seconds(60));
  for (int i = 0; i < 100'000; ++i) {
    history.Add(At(0) + std::chrono::milliseconds(i * 7), 1, i % 5);
  }
  EXPECT_LE(history.size(), 64u);
  EXPECT_EQ(history.HighestWanted(At(700)), 4);
  EXPECT_EQ(history.HighestWanted(At(800)), 0);
}

TEST(HistoryTest, ShortWindowsWork) {
  History history(std::chrono::milliseconds(200));
  history.Add(At(0), 1, 3);
  EXPECT_EQ(history.HighestWanted(At(0) + std::chrono::milliseconds(150)), 3);
  EXPECT_EQ(history.HighestWanted(At(0) + std::chrono::milliseconds(300)), 0);
}

}  // namespace
}  // namespace krypton::scaler
