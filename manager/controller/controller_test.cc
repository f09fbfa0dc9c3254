#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "manager/controller/controller_fixture.h"

namespace krypton::manager {
namespace {

using platform::ReplicaPhase;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ControllerTest, NothingIsStartedBeforeThePlatformIsRead) {
  controller_.OnResource(MakeResource("echo"));
  EXPECT_EQ(platform_.calls(), 0);
  EXPECT_FALSE(store_.synced());
  controller_.OnSynced();
  EXPECT_EQ(platform_.desired("default/echo"), 1);
  EXPECT_TRUE(store_.synced());
}

TEST_F(ControllerTest, AlwaysOnStartsAtItsFloorAndServerlessAtZero) {
  Declare("echo", {.min = 3});
  controller_.OnResource(MakeResource("sleepy", {.serverless = true}));
  EXPECT_EQ(platform_.desired("default/echo"), 3);
  EXPECT_EQ(platform_.desired("default/sleepy"), 0);
  EXPECT_EQ(Status("sleepy").phase(), v1::AGENT_PHASE_READY);
  EXPECT_EQ(Available("sleepy").reason(), "ScaledToZero");
  EXPECT_EQ(Status("sleepy").url(), "http://gw:8080/v1/agents/default/sleepy");
}

TEST_F(ControllerTest, AReplicaBecomesAnEndpointWhenItsSidecarSaysReady) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_STARTING);
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_PENDING);
  EXPECT_EQ(Available("echo").reason(), "WaitingForPods");
  EXPECT_EQ(Available("echo").status(), v1::CONDITION_STATUS_FALSE);

  Report("echo", "r1", v1::ENDPOINT_STATE_STARTING);
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_STARTING);
  Report("echo", "r1");
  const v1::Endpoint endpoint = Entry("echo").endpoints(0);
  EXPECT_EQ(endpoint.state(), v1::ENDPOINT_STATE_READY);
  EXPECT_EQ(endpoint.address(), "127.0.0.1:40001");
  EXPECT_EQ(endpoint.platform_ref(), "4711");
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_READY);
  EXPECT_EQ(Status("echo").ready_replicas(), 1);
  EXPECT_EQ(Available("echo").reason(), "Ready");
  EXPECT_EQ(platform_.state("r1"), v1::ENDPOINT_STATE_READY);
}

TEST_F(ControllerTest, TheHostComesFromThePlatformAndAKnownPortToo) {
  Declare("echo");
  platform::Replica replica = MakeReplica("r1");
  replica.address = "10.1.2.3:8889";
  Replicas("echo", {replica});
  Report("echo", "r1");
  EXPECT_EQ(Entry("echo").endpoints(0).address(), "10.1.2.3:8889");
}

TEST_F(ControllerTest, AReportOfAnUnknownInstanceChangesNothing) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  const uint64_t version = store_.version();
  Report("echo", "stranger");
  Report("nobody", "r1");
  EXPECT_EQ(store_.version(), version);
}

TEST_F(ControllerTest, AReportThatComesBeforeThePlatformsWordIsNotLost) {
  Declare("echo");
  Report("echo", "r1");
  Replicas("echo", {MakeReplica("r1")});
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_READY);
}

TEST_F(ControllerTest, DrainingIsInTheRegistryWhenThePlatformsCallReturns) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kDraining)});
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_DRAINING);
  EXPECT_EQ(Status("echo").replicas(), 0);
  Replicas("echo", {});
  EXPECT_EQ(Entry("echo").endpoints_size(), 0);
}

TEST_F(ControllerTest, ASidecarThatDrainsByItselfIsDraining) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  Report("echo", "r1", v1::ENDPOINT_STATE_DRAINING);
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_DRAINING);
}

TEST_F(ControllerTest, ABrokenLoadStreamIsConfirmedWithThePlatform) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kRunning)});
  controller_.OnLoadStreamEnd(Sidecar("r1", 1));
  EXPECT_THAT(platform_.confirmed(), ElementsAre("r1"));
  // Until the platform says otherwise it is as ready as it was.
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_READY);
  EXPECT_EQ(Entry("echo").endpoints(0).address(), "127.0.0.1:40001");
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kStarting)});
  EXPECT_EQ(Entry("echo").endpoints(0).state(), v1::ENDPOINT_STATE_STARTING);
}

TEST_F(ControllerTest, TheEndOfAnOldStreamOfASidecarThatCameBackMeansNothing) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1", v1::ENDPOINT_STATE_READY, 1);
  Report("echo", "r1", v1::ENDPOINT_STATE_READY, 2);
  controller_.OnLoadStreamEnd(Sidecar("r1", 1));
  EXPECT_TRUE(platform_.confirmed().empty());
}

TEST_F(ControllerTest, AdoptedReplicasGoOnAndNothingIsStartedTwice) {
  controller_.OnResource(MakeResource("sleepy", {.serverless = true}));
  platform::Replica replica = MakeReplica("r1", ReplicaPhase::kRunning);
  replica.address = "127.0.0.1:40001";
  platform::Replica second = replica;
  second.instance = "r2";
  Replicas("sleepy", {replica, second});
  controller_.OnSynced();
  EXPECT_EQ(platform_.desired("default/sleepy"), 2);
  EXPECT_EQ(Status("sleepy").desired_replicas(), 2);
  // Usable before their sidecars have come back.
  EXPECT_EQ(Entry("sleepy").endpoints(0).state(), v1::ENDPOINT_STATE_READY);
}

TEST_F(ControllerTest, ARollUnderWayIsNotAdoptedAsTwice) {
  controller_.OnResource(MakeResource("echo", {.generation = 2}));
  platform::Replica next = MakeReplica("r2");
  next.generation = 2;
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kRunning), next});
  controller_.OnSynced();
  EXPECT_EQ(platform_.desired("default/echo"), 1);
}

// As many as its manifest says, for somebody else to change.
std::shared_ptr<const resource::Resource> ScaledByOthers(const std::string& name, int replicas) {
  v1::Agent agent = MakeAgent(name, {.serverless = true});
  agent.mutable_spec()->set_scaler(v1::SCALER_EXTERNAL);
  agent.mutable_spec()->set_replicas(replicas);
  return std::make_shared<const resource::Resource>(std::move(agent));
}

TEST_F(ControllerTest, WhatRunsDoesNotOverruleTheNumberThatOthersScaleBy) {
  controller_.OnResource(ScaledByOthers("asleep", 0));
  controller_.OnResource(ScaledByOthers("awake", 2));
  Replicas("asleep", {MakeReplica("r1", ReplicaPhase::kRunning)});
  Replicas("awake", {MakeReplica("r2", ReplicaPhase::kRunning)});
  controller_.OnSynced();
  EXPECT_EQ(platform_.desired("default/asleep"), 0);
  EXPECT_EQ(platform_.desired("default/awake"), 2);
}

TEST_F(ControllerTest, WithoutAScalerEverythingRunsAtItsLowestAlsoAfterARestart) {
  ControllerSettings settings;
  settings.scaler_enabled = false;
  Controller controller(settings, clock_.clock(), store_, leadership_, metrics_);
  controller.SetPlatform(platform_);
  controller.OnLeadership(true, kTerm + 1, "manager:7070");
  controller.OnResource(ScaledByOthers("asleep", 0));
  controller.OnResource(MakeResource("sleepy", {.serverless = true}));
  controller.OnResource(MakeResource("echo", {.min = 2}));
  for (const char* name : {"asleep", "sleepy", "echo"}) {
    const auto replica = [&](const char* instance) {
      return MakeReplica(std::string(name) + instance, ReplicaPhase::kRunning);
    };
    controller.OnReplicas(resource::AgentKey("default", name),
                          {replica("1"), replica("2"), replica("3")});
  }
  controller.OnSynced();
  EXPECT_EQ(platform_.desired("default/asleep"), 0);
  EXPECT_EQ(platform_.desired("default/sleepy"), 1);
  EXPECT_EQ(platform_.desired("default/echo"), 2);
  controller.OnResource(ScaledByOthers("asleep", 1));
  EXPECT_EQ(platform_.desired("default/asleep"), 1);
  controller.OnResource(ScaledByOthers("asleep", 0));
  EXPECT_EQ(platform_.desired("default/asleep"), 0);
}

TEST_F(ControllerTest, DecisionsAreAppliedAndKept) {
  Declare("sleepy", {.serverless = true});
  EXPECT_TRUE(controller_.Apply(Decision("sleepy", 4)).ok());
  EXPECT_EQ(platform_.desired("default/sleepy"), 4);
  EXPECT_EQ(Status("sleepy").desired_replicas(), 4);
  const auto records = controller_.Decisions(resource::AgentKey("default", "sleepy"), 10);
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->at(0).decision().reason(), "because");
}

TEST_F(ControllerTest, DecisionsAreFoundWithoutAKind) {
  Declare("echo");
  v1::ResourceKey key = resource::AgentKey("default", "echo");
  key.clear_kind();
  EXPECT_TRUE(controller_.Decisions(key, 1).ok());
  key.set_name("nobody");
  EXPECT_EQ(controller_.Decisions(key, 1).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ControllerTest, WrongDecisionsAreRefusedAndKept) {
  Declare("echo", {.min = 2, .max = 5});
  v1::ScalingDecision old = Decision("echo", 3);
  old.set_term(kTerm - 1);
  EXPECT_EQ(controller_.Apply(old).code(), absl::StatusCode::kFailedPrecondition);
  v1::ScalingDecision newer = Decision("echo", 3);
  newer.set_term(kTerm + 1);
  EXPECT_EQ(controller_.Apply(newer).code(), absl::StatusCode::kFailedPrecondition);
  for (const int desired : {-1, 1, 6, 1'000'000}) {
    EXPECT_EQ(controller_.Apply(Decision("echo", desired)).code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(controller_.Apply(Decision("nobody", 1)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(platform_.desired("default/echo"), 2);
  const auto records = controller_.Decisions(resource::AgentKey("default", "echo"), 10);
  ASSERT_EQ(records->size(), 6u);
  EXPECT_TRUE(records->at(0).refused());
  EXPECT_THAT(records->at(0).refusal(), HasSubstr("not in 2..5"));
}

TEST_F(ControllerTest, DecisionsAreBoundedAndARepeatedRefusalCountsOnce) {
  Declare("echo", {.max = 5});
  for (int i = 0; i < 1000; ++i) (void)controller_.Apply(Decision("echo", 9));
  EXPECT_EQ(controller_.Decisions(resource::AgentKey("default", "echo"), 100)->size(), 1u);
  for (int i = 0; i < 1000; ++i) (void)controller_.Apply(Decision("echo", 1 + i % 3));
  EXPECT_EQ(controller_.Decisions(resource::AgentKey("default", "echo"), 1000)->size(),
            DecisionLog::kRecords);
}

TEST_F(ControllerTest, AnEditClampsWhatIsDesired) {
  Declare("echo", {.max = 8});
  ASSERT_TRUE(controller_.Apply(Decision("echo", 8)).ok());
  controller_.OnResource(MakeResource("echo", {.max = 3, .generation = 2}));
  EXPECT_EQ(platform_.desired("default/echo"), 3);
  EXPECT_EQ(Status("echo").observed_generation(), 2);
}

TEST_F(ControllerTest, AWokenReplicaTellsHowLongEachStageTook) {
  Declare("sleepy", {.serverless = true});
  v1::ScalingDecision wake = Decision("sleepy", 1);
  wake.mutable_decide_time()->set_nanos(2'000'000);
  ASSERT_TRUE(controller_.Apply(wake).ok());
  clock_.Advance(milliseconds(5));
  Replicas("sleepy", {MakeReplica("r1")});
  clock_.Advance(milliseconds(30));
  Report("sleepy", "r1", v1::ENDPOINT_STATE_STARTING);
  clock_.Advance(milliseconds(200));
  Report("sleepy", "r1", v1::ENDPOINT_STATE_READY);
  const v1::StartTiming timing = Entry("sleepy").endpoints(0).start_timing();
  EXPECT_EQ(timing.decide().nanos(), 2'000'000);
  EXPECT_EQ(timing.start().nanos(), 35'000'000);
  EXPECT_EQ(timing.ready().nanos(), 200'000'000);
}

TEST_F(ControllerTest, AReplicaThatCannotStartIsSaidInTheStatus) {
  Declare("echo");
  platform::Replica replica = MakeReplica("r1", ReplicaPhase::kFailed);
  replica.message = "the agent exited with status 3, is started again after 4 s";
  Replicas("echo", {replica});
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_FAILED);
  EXPECT_EQ(Available("echo").message(), replica.message);
  EXPECT_EQ(Entry("echo").endpoints_size(), 0);
  // Being tried again is not yet being well.
  replica.phase = ReplicaPhase::kStarting;
  replica.restarts = 1;
  Replicas("echo", {replica});
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_FAILED);
  Report("echo", "r1");
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_READY);
}

TEST_F(ControllerTest, OneOfTwoThatFailsLeavesTheAgentScalingAndSaysWhy) {
  Declare("echo", {.min = 2});
  platform::Replica failed = MakeReplica("r2", ReplicaPhase::kFailed);
  failed.message = "exited with status 1";
  Replicas("echo", {MakeReplica("r1"), failed});
  Report("echo", "r1");
  EXPECT_EQ(Status("echo").phase(), v1::AGENT_PHASE_SCALING);
  EXPECT_THAT(Available("echo").message(), HasSubstr("exited with status 1"));
}

TEST_F(ControllerTest, AConditionKeepsTheTimeOfItsLastTransition) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  clock_.Advance(seconds(10));
  Report("echo", "r1");
  const auto became_ready = Available("echo").last_transition_time().seconds();
  clock_.Advance(seconds(100));
  ASSERT_TRUE(controller_.Apply(Decision("echo", 2)).ok());
  EXPECT_EQ(Available("echo").last_transition_time().seconds(), became_ready);
}

TEST_F(ControllerTest, OfAnAgentAndAModelWithOneNameTheEarlierRuns) {
  Declare("gemma", {.created = 100});
  controller_.OnResource(MakeModel("gemma", 200));
  const EntryPtr model = store_.Find(resource::ModelKey("default", "gemma"));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->model().status().phase(), v1::MODEL_PHASE_FAILED);
  EXPECT_EQ(model->model().status().conditions(1).type(), "NameConflict");
  EXPECT_EQ(model->model().status().conditions(1).status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(Status("gemma").phase(), v1::AGENT_PHASE_PENDING);

  controller_.OnResourceDeleted(resource::AgentKey("default", "gemma"));
  const EntryPtr second = store_.Find(resource::ModelKey("default", "gemma"));
  EXPECT_EQ(second->model().status().phase(), v1::MODEL_PHASE_PENDING);
  EXPECT_EQ(second->model().status().conditions_size(), 3);
  EXPECT_EQ(platform_.desired("default/gemma"), 1);
}

TEST_F(ControllerTest, TheOlderOfTwoRunsEvenIfItIsReadLater) {
  Declare("gemma", {.created = 300});
  controller_.OnResource(MakeModel("gemma", 200));
  EXPECT_EQ(Status("gemma").phase(), v1::AGENT_PHASE_FAILED);
  EXPECT_EQ(Available("gemma").reason(), "NameConflict");
  EXPECT_EQ(controller_.Apply(Decision("gemma", 1)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ControllerTest, ADeletedResourceLeavesTheRegistryAndItsReplicasAreIgnored) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  controller_.OnResourceDeleted(resource::AgentKey("default", "echo"));
  Replicas("echo", {MakeReplica("r1", ReplicaPhase::kDraining)});
  Report("echo", "r1");
  EXPECT_EQ(store_.Find(resource::AgentKey("default", "echo")), nullptr);
}

TEST_F(ControllerTest, LastInvocationAloneChangesTheEntryOnceAMinute) {
  Declare("echo");
  Replicas("echo", {MakeReplica("r1")});
  Report("echo", "r1");
  const uint64_t version = store_.version();
  for (int second = 0; second < 120; ++second) {
    clock_.Advance(seconds(1));
    v1::ReportRequest report = ReplicaReport("echo", "r1", 1);
    report.mutable_replicas(0)->mutable_last_activity()->set_seconds(1'790'000'000 + second);
    controller_.OnLoad(Sidecar("r1"), report, false);
  }
  EXPECT_EQ(store_.version(), version + 2);
  EXPECT_EQ(Status("echo").last_invocation_at().seconds(), 1'790'000'060);
}

TEST_F(ControllerTest, ManifestProblemsReachTheRegistry) {
  v1::ManifestProblem problem;
  problem.set_file("agents.yaml");
  problem.set_reason("spec.port 70000 is not in 1..65535");
  controller_.OnManifestProblems({problem});
  EXPECT_EQ(store_.problems().items(0).file(), "agents.yaml");
}

}  // namespace
}  // namespace krypton::manager
