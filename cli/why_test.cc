#include "cli/why.h"

#include <gtest/gtest.h>

#include "krypton/v1/control_plane.pb.h"

namespace krypton::cli {
namespace {

TEST(WhyTest, SaysWhatThereIsAndEachDecisionWithItsInputs) {
  v1::ExplainAgentResponse explanation;
  explanation.mutable_agent()->mutable_status()->set_ready_replicas(1);
  explanation.mutable_agent()->mutable_status()->set_desired_replicas(2);
  explanation.set_summary("Two replicas, since 9 calls wait or run.");
  v1::DecisionRecord& record = *explanation.add_decisions();
  record.mutable_decision()->mutable_time()->set_seconds(100);
  record.mutable_decision()->set_previous(1);
  record.mutable_decision()->set_desired(2);
  record.mutable_decision()->set_rule(v1::SCALING_RULE_STABLE_WINDOW);
  record.mutable_decision()->set_in_flight(4.5);
  record.mutable_decision()->set_waiting(5);
  record.mutable_decision()->set_max_replicas(10);
  record.mutable_decision()->set_reason("9.5 / (8 * 0.8)");
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(145));
  EXPECT_EQ(ExplainInWords("default/echo", explanation, now),
            "Two replicas, since 9 calls wait or run.\n"
            "\n"
            "AGO   REPLICAS   RULE            IN FLIGHT+WAITING   BOUNDS   REASON\n"
            "45s   1 -> 2     stable window   4.5+5               0..10    9.5 / (8 * 0.8)\n");
}

TEST(WhyTest, ARefusalIsTold) {
  v1::ExplainAgentResponse explanation;
  v1::DecisionRecord& record = *explanation.add_decisions();
  record.set_refused(true);
  record.set_refusal("an older term");
  EXPECT_NE(ExplainInWords("a/b", explanation, {}).find("refused: an older term"),
            std::string::npos);
}

TEST(WhyTest, OneCauseBehindSeveralConditionsIsSaidOnce) {
  v1::ExplainAgentResponse explanation;
  const std::string cause = "the agent exited with status 1: Address already in use";
  explanation.set_summary("agent \"a/b\" has 1 replica, 0 ready. WaitingForPods: " + cause);
  for (const auto& [type, reason] :
       std::vector<std::pair<std::string, std::string>>{{"Available", "WaitingForPods"},
                                                        {"Ready", "WaitingForPods"},
                                                        {"Progressing", "ReplicasFailing"}}) {
    v1::Condition* condition = explanation.mutable_agent()->mutable_status()->add_conditions();
    condition->set_type(type);
    condition->set_reason(reason);
    condition->set_message(cause);
  }
  const std::string words = ExplainInWords("a/b", explanation, {});
  EXPECT_EQ(words.find(cause), words.rfind(cause)) << words;
  EXPECT_NE(words.find("  Progressing: ReplicasFailing\n"), std::string::npos) << words;

  explanation.clear_summary();
  EXPECT_NE(ExplainInWords("a/b", explanation, {})
                .find("  Available: WaitingForPods (" + cause +
                      ")\n"
                      "  Progressing: ReplicasFailing\n"),
            std::string::npos);
}

TEST(WhyTest, WhatIsAsItShouldBeIsSaidOnce) {
  v1::ExplainAgentResponse explanation;
  v1::AgentStatus& status = *explanation.mutable_agent()->mutable_status();
  status.set_ready_replicas(1);
  status.set_desired_replicas(1);
  explanation.set_summary("agent \"a/b\" has 1 replica, 1 ready.");
  const auto add = [&](const char* type, const char* reason, const char* message) {
    v1::Condition* condition = status.add_conditions();
    condition->set_type(type);
    condition->set_reason(reason);
    condition->set_message(message);
  };
  add("Available", "Ready", "1 of 1 replicas are ready");
  add("Ready", "Ready", "1 of 1 replicas are ready");
  add("Progressing", "Settled", "");
  EXPECT_EQ(ExplainInWords("a/b", explanation, {}),
            "agent \"a/b\" has 1 replica, 1 ready.\n\nNo decision has changed anything yet.\n");

  status.mutable_conditions()->Clear();
  add("Available", "Ready", "1 of 1 replicas are ready; default/b-2: out of memory");
  add("Progressing", "RollingOut", "replicas of an older generation are replaced");
  EXPECT_EQ(ExplainInWords("a/b", explanation, {}),
            "agent \"a/b\" has 1 replica, 1 ready.\n"
            "  Available: Ready (1 of 1 replicas are ready; default/b-2: out of memory)\n"
            "  Progressing: RollingOut (replicas of an older generation are replaced)\n"
            "\nNo decision has changed anything yet.\n");
}

TEST(WhyTest, DecisionsThatSayTheSameAreFoldedWithTheirNumber) {
  v1::ExplainAgentResponse explanation;
  for (const int desired : {2, 2, 2, 3}) {
    v1::DecisionRecord& record = *explanation.add_decisions();
    record.mutable_decision()->mutable_time()->set_seconds(100 - explanation.decisions_size());
    record.mutable_decision()->set_desired(desired);
    record.mutable_decision()->set_reason("because");
  }
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(100));
  const std::string words = ExplainInWords("a/b", explanation, now);
  EXPECT_NE(words.find("because (3 times)\n"), std::string::npos) << words;
  EXPECT_NE(words.find("because\n"), std::string::npos) << words;
  EXPECT_NE(words.find("\n1s "), std::string::npos) << words;
}

TEST(WhyTest, NoDecisionYetIsSaid) {
  EXPECT_NE(ExplainInWords("a/b", v1::ExplainAgentResponse(), {}).find("No decision"),
            std::string::npos);
}

TEST(WhyTest, OfAModelTheSameIsSaid) {
  v1::ExplainModelResponse explanation;
  explanation.mutable_model()->mutable_status()->set_desired_replicas(1);
  v1::Condition& condition = *explanation.mutable_model()->mutable_status()->add_conditions();
  condition.set_type("Available");
  condition.set_reason("ReplicasFailing");
  condition.set_message("no such weights");
  EXPECT_EQ(ExplainInWords("a/b", explanation, {}),
            "a/b: 0 of 1 replicas ready\n  Available: ReplicasFailing (no such weights)\n"
            "\nNo decision has changed anything yet.\n");
}

}  // namespace
}  // namespace krypton::cli
