#include "controlplane/explain.h"

#include <gtest/gtest.h>

#include "controlplane/testing.h"

namespace krypton::controlplane {
namespace {

using Records = google::protobuf::RepeatedPtrField<v1::DecisionRecord>;
const auto kNow = std::chrono::system_clock::time_point(std::chrono::seconds(1000));

v1::DecisionRecord Decision(int previous, int desired, int64_t time, std::string reason) {
  v1::DecisionRecord record;
  record.mutable_decision()->set_previous(previous);
  record.mutable_decision()->set_desired(desired);
  record.mutable_decision()->mutable_time()->set_seconds(time);
  record.mutable_decision()->set_reason(std::move(reason));
  return record;
}

TEST(ExplainTest, ASleeperSaysSo) {
  EXPECT_EQ(Summarize(*testing::AgentEntry("n", "a"), Records(), kNow),
            "agent \"n/a\" sleeps: no replica runs, and none is wanted. The scaler has changed "
            "nothing since the manager started.");
}

TEST(ExplainTest, TheLastDecisionIsTold) {
  Records records;
  *records.Add() = Decision(1, 2, 988, "demand 12 needs 2 of 8");
  *records.Add() = Decision(0, 1, 900, "a request waits");
  EXPECT_EQ(Summarize(*testing::AgentEntry("n", "a", 2), records, kNow),
            "agent \"n/a\" has 2 replicas, 2 ready. 12 s ago the scaler went from 1 to 2 replicas: "
            "demand 12 needs 2 of 8.");
}

TEST(ExplainTest, ARefusalAndAnObstacleAreTold) {
  auto entry = std::make_shared<v1::RegistryEntry>(*testing::AgentEntry("n", "a", 1));
  entry->mutable_agent()->mutable_status()->set_ready_replicas(0);
  entry->mutable_agent()->mutable_status()->set_desired_replicas(3);
  v1::Condition& condition = *entry->mutable_agent()->mutable_status()->add_conditions();
  condition.set_status(v1::CONDITION_STATUS_FALSE);
  condition.set_reason("WaitingForPods");
  condition.set_message("the process ended with status 1.");
  Records records;
  *records.Add() = Decision(1, 3, 1, "demand");
  records[0].set_refused(true);
  records[0].set_refusal("term 4 is over");
  EXPECT_EQ(
      Summarize(*entry, records, kNow),
      "agent \"n/a\" has 1 replica, 0 ready, and wants 3. 16 min ago the scaler wanted to go "
      "from 1 to 3 replicas: demand. The manager refused: term 4 is over. WaitingForPods: the "
      "process ended with status 1.");
}

}  // namespace
}  // namespace krypton::controlplane
