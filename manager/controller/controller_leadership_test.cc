// Who leads and who follows; and the conditions that the leader has the platform write.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "manager/controller/controller_fixture.h"

namespace krypton::manager {
namespace {

using platform::ReplicaPhase;

TEST_F(ControllerTest, ConditionsTellAvailabilityReadinessAndProgressApart) {
  const auto reasons = [this] {
    std::string text;
    const v1::AgentStatus status = Status("echo");
    for (const v1::Condition& condition : status.conditions()) {
      text += condition.type() + (condition.status() == v1::CONDITION_STATUS_TRUE ? "+" : "-") +
              condition.reason() + " ";
    }
    return text;
  };
  Declare("echo");
  EXPECT_EQ(reasons(), "Available-WaitingForPods Ready-WaitingForPods Progressing+ScalingUp ");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  EXPECT_EQ(reasons(), "Available+Ready Ready+Ready Progressing-Settled ");
  controller_.OnResource(MakeResource("echo", {.generation = 2}));
  EXPECT_EQ(reasons(), "Available+Ready Ready-RollingOut Progressing+RollingOut ");
  platform::Replica next = MakeReplica("r2");
  next.generation = 2;
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kDraining), next});
  Report("echo", "r2");
  EXPECT_EQ(reasons(), "Available+Ready Ready+Ready Progressing+ScalingDown ");
  Replicas("echo", {next});
  EXPECT_EQ(reasons(), "Available+Ready Ready+Ready Progressing-Settled ");
  next.phase = ReplicaPhase::kFailed;
  Replicas("echo", {next});
  EXPECT_EQ(reasons(),
            "Available-WaitingForPods Ready-WaitingForPods Progressing-ReplicasFailing ");
}

TEST_F(ControllerTest, ThePlatformIsToldTheStatusWhenItChangesAndOnlyThen) {
  Declare("echo");
  EXPECT_EQ(platform_.statuses("default/echo").size(), 1u);
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  const size_t count = platform_.statuses("default/echo").size();
  const auto last = std::get<v1::AgentStatus>(platform_.statuses("default/echo").back());
  EXPECT_EQ(last.ready_replicas(), 1);
  Report("echo", "r1");
  Replicas("echo", {MakeReplica("r1")});
  controller_.OnResource(MakeResource("echo"));
  EXPECT_EQ(platform_.statuses("default/echo").size(), count);
}

// An agent as another leader left it: three replicas are wanted, since a while.
std::shared_ptr<const resource::Resource> LedByAnother() {
  v1::Agent agent = MakeAgent("echo", {.max = 5});
  v1::AgentStatus& status = *agent.mutable_status();
  status.set_desired_replicas(3);
  status.mutable_last_invocation_at()->set_seconds(1'790'000'000);
  v1::Condition& condition = *status.add_conditions();
  condition.set_type("Available");
  condition.set_status(v1::CONDITION_STATUS_TRUE);
  condition.set_reason("Ready");
  condition.mutable_last_transition_time()->set_seconds(1'780'000'000);
  return std::make_shared<const resource::Resource>(std::move(agent));
}

TEST_F(ControllerTest, WhoFollowsServesWhatTheLeaderWroteAndDecidesNothing) {
  controller_.OnLeadership(false, kTerm, "other:7070");
  controller_.OnResource(LedByAnother());
  controller_.OnSynced();
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kRunning)});
  EXPECT_EQ(Status("echo").desired_replicas(), 3);
  EXPECT_EQ(Status("echo").ready_replicas(), 0);  // No port is known yet.
  EXPECT_EQ(Available("echo").reason(), "Ready");
  EXPECT_EQ(Status("echo").last_invocation_at().seconds(), 1'790'000'000);
  EXPECT_EQ(controller_.Apply(Decision("echo", 4)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(platform_.calls(), 0);
  EXPECT_TRUE(platform_.statuses("default/echo").empty());
}

TEST_F(ControllerTest, WhoBeginsToLeadTakesUpWhatWasDecided) {
  controller_.OnLeadership(false, kTerm, "other:7070");
  controller_.OnResource(LedByAnother());
  controller_.OnSynced();
  platform::Replica replica = MakeReplica("r1", ReplicaPhase::kRunning);
  replica.address = "10.0.0.1:8889";
  Replicas("echo", {replica});
  EXPECT_EQ(Status("echo").ready_replicas(), 1);
  controller_.OnLeadership(true, kTerm + 1, "manager:7070");
  EXPECT_EQ(platform_.desired("default/echo"), 3);
  Report("echo", "r1");
  EXPECT_EQ(Available("echo").last_transition_time().seconds(), 1'780'000'000);
  EXPECT_EQ(controller_.Apply(Decision("echo", 4)).code(), absl::StatusCode::kFailedPrecondition);
  v1::ScalingDecision decision = Decision("echo", 4);
  decision.set_term(kTerm + 1);
  EXPECT_TRUE(controller_.Apply(decision).ok());
  EXPECT_EQ(platform_.desired("default/echo"), 4);

  controller_.OnLeadership(false, kTerm + 2, "other:7070");
  EXPECT_EQ(Status("echo").desired_replicas(), 3);
  const size_t told = platform_.statuses("default/echo").size();
  Replicas("echo", {});
  EXPECT_EQ(platform_.statuses("default/echo").size(), told);
}

TEST_F(ControllerTest, EachChangeOfTheLeadershipIsPassedOnOnce) {
  std::vector<Leadership::View> seen;
  ControllerSettings settings;
  settings.on_leadership = [&](const Leadership::View& view) { seen.push_back(view); };
  Leadership leadership;
  Controller controller(settings, clock_.clock(), store_, leadership, metrics_);
  controller.OnLeadership(false, 4, "a:7070");
  controller.OnLeadership(false, 4, "a:7070");
  controller.OnLeadership(true, 5, "b:7070");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].term, 5u);
  EXPECT_EQ(leadership.Get(), seen[1]);
}

TEST_F(ControllerTest, WhatKeepsReplicasFromBeingMadeIsSaid) {
  Declare("echo");
  controller_.OnTrouble(resource::AgentKey("default", "echo"), "pods are forbidden");
  EXPECT_EQ(Available("echo").message(), "pods are forbidden");
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_FAILED);
  controller_.OnTrouble(resource::AgentKey("default", "echo"), "");
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_PENDING);
}

TEST_F(ControllerTest, TheIdlestMayGoFirst) {
  Declare("echo", {.min = 1, .max = 5});
  ASSERT_TRUE(controller_.Apply(Decision("echo", 3)).ok());
  platform::Replica young = MakeReplica("young");
  young.start_time += std::chrono::seconds(60);
  Replicas("echo", {MakeReplica("busy"), MakeReplica("idle"), young,
                    MakeReplica("leaving", ReplicaPhase::kDraining)});
  controller_.OnLoad(Sidecar("busy", 1), ReplicaReport("echo", "busy", 3), true);
  ASSERT_TRUE(controller_.Apply(Decision("echo", 1)).ok());
  EXPECT_EQ(platform_.idle("default/echo"), (std::vector<std::string>{"young", "idle", "busy"}));
}

}  // namespace
}  // namespace krypton::manager
