// The policy over time, against loads that wobble: one step is one second.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "manager/scaler/policy.h"

namespace krypton::scaler {
namespace {

using std::chrono::seconds;

class Simulation {
 public:
  // As the scaler does with a resource that runs when it first hears of it.
  Simulation(ScalingSpec spec, int replicas) : spec_(spec), replicas_(replicas) {
    history_.Add(now_, replicas * spec.concurrency * settings_.target_utilization, replicas);
  }

  // One second with this demand; what the replicas cannot carry waits.
  void Step(double demand) {
    now_ += seconds(1);
    Load load;
    load.in_flight = std::min(demand, static_cast<double>(replicas_) * spec_.concurrency);
    load.waiting = demand - load.in_flight;
    if (demand > 0) last_active_ = now_;
    load.last_active = last_active_;
    const Decision decision = Decide(spec_, settings_, load, history_, replicas_, now_);
    history_.Add(now_, load.demand(), decision.wanted);
    if (decision.desired != replicas_) ++changes_;
    replicas_ = decision.desired;
  }

  int replicas() const { return replicas_; }
  int changes() const { return changes_; }

 private:
  ScalingSpec spec_;
  PolicySettings settings_;
  History history_{settings_.stable_window};
  TimePoint now_{seconds(1000)};
  TimePoint last_active_ = now_;
  int replicas_;
  int changes_ = 0;
};

struct Noise {
  std::string name;
  std::function<double(std::mt19937&)> factor;
};

// Of n.0, n.5 and n.9 replicas' worth, 10 % noise, five minutes: at most one change.
TEST(SimulationTest, ConstantLoadWithNoiseChangesAtMostOnce) {
  const Noise noises[] = {
      {"uniform",
       [](std::mt19937& random) {
         return std::uniform_real_distribution<double>(0.9, 1.1)(random);
       }},
      {"normal",
       [](std::mt19937& random) {
         return std::max(0.0, std::normal_distribution<double>(1.0, 0.1)(random));
       }},
  };
  int runs = 0;
  int restless = 0;
  for (const Noise& noise : noises) {
    for (const int concurrency : {4, 8, 32}) {
      for (int n = 1; n <= 8; ++n) {
        for (const double part : {0.0, 0.5, 0.9}) {
          for (unsigned seed = 0; seed < 10; ++seed) {
            std::mt19937 random(seed);
            const double replicas_worth = n + part;
            const int start = static_cast<int>(std::ceil(replicas_worth));
            Simulation simulation({.floor = 1, .max = 20, .concurrency = concurrency}, start);
            for (int second = 0; second < 300; ++second) {
              simulation.Step(replicas_worth * concurrency * 0.8 * noise.factor(random));
            }
            ++runs;
            if (simulation.changes() > 1) {
              ++restless;
              ADD_FAILURE() << noise.name << ", concurrency " << concurrency << ", "
                            << replicas_worth << " replicas' worth, seed " << seed << ": "
                            << simulation.changes() << " changes";
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(restless, 0) << "of " << runs;
}

TEST(SimulationTest, ABurstBringsMaxAndTheEndOfItBringsThemBack) {
  Simulation simulation({.serverless = true,
                         .floor = 0,
                         .max = 5,
                         .concurrency = 2,
                         .scale_to_zero_after = seconds(30)},
                        0);
  simulation.Step(40);
  EXPECT_EQ(simulation.replicas(), 5);
  for (int second = 0; second < 20; ++second) simulation.Step(40);
  EXPECT_EQ(simulation.replicas(), 5);
  for (int second = 0; second < 29; ++second) simulation.Step(0);
  EXPECT_EQ(simulation.replicas(), 5);
  for (int second = 0; second < 2; ++second) simulation.Step(0);
  EXPECT_EQ(simulation.replicas(), 0);
  EXPECT_EQ(simulation.changes(), 2);
}

TEST(SimulationTest, ADropOfTheLoadIsFollowedAfterTheStableWindow) {
  Simulation simulation({.floor = 1, .max = 10, .concurrency = 8}, 1);
  for (int second = 0; second < 120; ++second) simulation.Step(7 * 6.4);
  EXPECT_EQ(simulation.replicas(), 7);
  for (int second = 0; second < 59; ++second) simulation.Step(2 * 6.4);
  EXPECT_EQ(simulation.replicas(), 7);
  for (int second = 0; second < 4; ++second) simulation.Step(2 * 6.4);
  EXPECT_EQ(simulation.replicas(), 2);
}

TEST(SimulationTest, ABlipWithinTheWindowKeepsWhatItNeeded) {
  Simulation simulation({.floor = 1, .max = 10, .concurrency = 8}, 1);
  for (int round = 0; round < 6; ++round) {
    simulation.Step(30);
    for (int second = 0; second < 50; ++second) simulation.Step(3);
  }
  EXPECT_EQ(simulation.replicas(), 5);
  EXPECT_EQ(simulation.changes(), 1);
}

TEST(SimulationTest, CallsAroundTheSwitchToZeroWakeAtOnce) {
  Simulation simulation({.serverless = true,
                         .floor = 0,
                         .max = 10,
                         .concurrency = 8,
                         .scale_to_zero_after = seconds(3)},
                        0);
  for (int gap = 1; gap < 8; ++gap) {
    simulation.Step(1);
    ASSERT_EQ(simulation.replicas(), 1) << "after a gap of " << gap - 1;
    for (int second = 0; second < gap; ++second) simulation.Step(0);
    EXPECT_EQ(simulation.replicas(), gap < 3 ? 1 : 0) << "after " << gap << " s";
  }
}

}  // namespace
}  // namespace krypton::scaler
