#include "manager/platform/local/plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::platform {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// "+r": current and ready, "+s": current and starting, "-r": old and ready, "-s": old and starting,
// "+f": current and failed, "-f": old and failed, "+d", "-d": draining. Names are a, b, c, ...;
// later ones are newer.
PlanInput Input(int desired, std::vector<std::string> kinds, bool may_restart = true) {
  PlanInput input;
  input.desired = desired;
  input.may_restart = may_restart;
  for (size_t i = 0; i < kinds.size(); ++i) {
    PlannedReplica replica;
    replica.instance = std::string(1, static_cast<char>('a' + i));
    replica.current = kinds[i][0] == '+';
    replica.ready = kinds[i][1] == 'r';
    replica.failed = kinds[i][1] == 'f';
    replica.draining = kinds[i][1] == 'd';
    replica.started = static_cast<int64_t>(i);
    input.replicas.push_back(replica);
  }
  return input;
}

TEST(PlanTest, StartsWhatIsMissingAtOnce) {
  EXPECT_EQ(PlanReplicas(Input(0, {})).start, 0);
  EXPECT_EQ(PlanReplicas(Input(10, {})).start, 10);
  EXPECT_EQ(PlanReplicas(Input(3, {"+r", "+s"})).start, 1);
  EXPECT_EQ(PlanReplicas(Input(1, {"+d"})).start, 1);
}

TEST(PlanTest, DrainsNotReadyThenNewest) {
  EXPECT_THAT(PlanReplicas(Input(2, {"+r", "+s", "+r"})).drain, ElementsAre("b"));
  EXPECT_THAT(PlanReplicas(Input(1, {"+r", "+r", "+r"})).drain, ElementsAre("c", "b"));
  EXPECT_THAT(PlanReplicas(Input(0, {"+r", "+d"})).drain, ElementsAre("a"));
  EXPECT_THAT(PlanReplicas(Input(2, {"+r", "+r"})).drain, IsEmpty());
}

TEST(PlanTest, RollsNewFirst) {
  // One of one: the new one beside the old one, then the old one goes.
  Plan plan = PlanReplicas(Input(1, {"-r"}));
  EXPECT_EQ(plan.start, 1);
  EXPECT_THAT(plan.drain, IsEmpty());
  plan = PlanReplicas(Input(1, {"-r", "+s"}));
  EXPECT_EQ(plan.start, 0);
  EXPECT_THAT(plan.drain, IsEmpty());
  plan = PlanReplicas(Input(1, {"-r", "+r"}));
  EXPECT_EQ(plan.start, 0);
  EXPECT_THAT(plan.drain, ElementsAre("a"));
}

TEST(PlanTest, SurgeIsBounded) {
  Plan plan = PlanReplicas(Input(8, {"-r", "-r", "-r", "-r", "-r", "-r", "-r", "-r"}));
  EXPECT_EQ(plan.start, 2);
  EXPECT_THAT(plan.drain, IsEmpty());
  // Two are ready: two old ones go, and two more may come.
  plan = PlanReplicas(Input(8, {"-r", "-r", "-r", "-r", "-r", "-r", "-r", "-r", "+r", "+r"}));
  EXPECT_EQ(plan.start, 2);
  EXPECT_THAT(plan.drain, SizeIs(2));
}

TEST(PlanTest, ScalesWhileItRolls) {
  // More are wanted than old ones run: the rest comes at once.
  EXPECT_EQ(PlanReplicas(Input(3, {"-r"})).start, 3);
  // Fewer are wanted: the old ones that are too many go now.
  const Plan plan = PlanReplicas(Input(1, {"-r", "-r", "+s"}));
  EXPECT_THAT(plan.drain, ElementsAre("b"));
  EXPECT_THAT(PlanReplicas(Input(0, {"-r", "+s"})).drain, UnorderedElementsAre("a", "b"));
}

TEST(PlanTest, OldOnesThatDoNotServeGoAtOnce) {
  const Plan plan = PlanReplicas(Input(1, {"-s", "-f"}));
  EXPECT_EQ(plan.start, 1);
  EXPECT_THAT(plan.drain, ElementsAre("a"));
  EXPECT_THAT(plan.forget, ElementsAre("b"));
}

TEST(PlanTest, ANewGenerationThatFailsLeavesTheOldOne) {
  const Plan plan = PlanReplicas(Input(1, {"-r", "+f"}, false));
  EXPECT_EQ(plan.start, 0);
  EXPECT_THAT(plan.drain, IsEmpty());
  EXPECT_THAT(plan.forget, IsEmpty());
}

TEST(PlanTest, FailedOnesWaitForTheirBackoff) {
  EXPECT_EQ(PlanReplicas(Input(1, {"+f"}, false)).start, 0);
  const Plan plan = PlanReplicas(Input(1, {"+f"}, true));
  EXPECT_EQ(plan.start, 1);
  EXPECT_THAT(plan.forget, ElementsAre("a"));
}

TEST(PlanTest, AFailureDelaysItsOwnReplacementOnly) {
  EXPECT_EQ(PlanReplicas(Input(2, {"+r", "+f"}, false)).start, 0);
  EXPECT_EQ(PlanReplicas(Input(4, {"+r", "+f"}, false)).start, 2);
  // Nothing is ready: all wait, or a crash loop would go round its backoff.
  EXPECT_EQ(PlanReplicas(Input(4, {"+f"}, false)).start, 0);
  EXPECT_EQ(PlanReplicas(Input(1, {}, false)).start, 0);
}

TEST(PlanTest, FailedOnesThatAreNotWantedAreForgotten) {
  EXPECT_THAT(PlanReplicas(Input(0, {"+f"}, false)).forget, ElementsAre("a"));
  EXPECT_THAT(PlanReplicas(Input(1, {"+r", "+f"}, false)).forget, ElementsAre("b"));
}

// From any state, with every start becoming ready and every drain ending, the plan comes to rest at
// exactly what is desired, and never has fewer ready than it began with or needs.
TEST(PlanTest, ComesToRest) {
  const std::vector<std::string> kinds = {"+r", "+s", "-r", "-s", "+f", "-f"};
  for (int state = 0; state < 6 * 6 * 6 * 6 * 4; ++state) {
    int rest = state;
    std::vector<std::string> start;
    for (int i = 0; i < 4; ++i, rest /= 6) start.push_back(kinds[rest % 6]);
    PlanInput input = Input(rest, start);
    const auto ready = [&] {
      return std::count_if(input.replicas.begin(), input.replicas.end(),
                           [](const auto& r) { return r.ready; });
    };
    const auto floor = std::min<int64_t>(ready(), input.desired);
    int next = 100;
    bool rested = false;
    for (int round = 0; round < 40 && !rested; ++round) {
      const Plan plan = PlanReplicas(input);
      rested = plan.start == 0 && plan.drain.empty() && plan.forget.empty();
      for (const auto& gone : {plan.drain, plan.forget}) {
        for (const std::string& name : gone) {
          std::erase_if(input.replicas, [&](const auto& r) { return r.instance == name; });
        }
      }
      ASSERT_GE(ready(), floor) << state;
      for (int i = 0; i < plan.start; ++i) {
        input.replicas.push_back({std::to_string(next++), true, false, false, false, next});
      }
      // One of those that start becomes ready a round.
      for (auto& replica : input.replicas) {
        if (!replica.current || replica.ready || replica.failed) continue;
        replica.ready = true;
        rested = false;
        break;
      }
    }
    ASSERT_TRUE(rested) << state;
    EXPECT_EQ(ready(), input.desired) << state;
    EXPECT_EQ(static_cast<int>(input.replicas.size()), input.desired) << state;
  }
}

}  // namespace
}  // namespace krypton::platform
