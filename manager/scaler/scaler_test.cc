// The scaler without its streams: what it is told, tick by tick, and what it decides.
#include "manager/scaler/scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/proto_time.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/resources.h"

namespace krypton::scaler {
namespace {

using manager::AgentOptions;
using manager::Gateway;
using manager::QueueReport;
using manager::ReplicaReport;
using manager::Sidecar;
using resource::AgentKey;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class ScalerTest : public testing::Test {
 protected:
  // The registry says: this agent, with these ready replicas.
  void Registry(const std::string& name, const AgentOptions& options,
                const std::vector<std::string>& replicas = {}, int desired = -1,
                v1::EndpointState state = v1::ENDPOINT_STATE_READY) {
    auto entry = std::make_shared<v1::RegistryEntry>();
    *entry->mutable_key() = AgentKey("default", name);
    *entry->mutable_agent() = manager::MakeAgent(name, options);
    entry->mutable_agent()->mutable_status()->set_desired_replicas(
        desired >= 0 ? desired : static_cast<int>(replicas.size()));
    for (const std::string& instance : replicas) {
      v1::Endpoint* endpoint = entry->add_endpoints();
      endpoint->set_instance(instance);
      endpoint->set_state(state);
    }
    registry::Change change;
    change.entries.push_back(entry);
    scaler_.OnRegistryChange(change);
  }
  // The first snapshot is over: what comes now was not there before this scaler.
  void Known() { scaler_.OnRegistryChange({}); }
  void Removed(const std::string& name) {
    registry::Change change;
    change.removed.push_back(AgentKey("default", name));
    scaler_.OnRegistryChange(change);
  }
  void Load(const std::string& name, const std::string& instance, double in_flight) {
    scaler_.OnLoad(Sidecar(instance), ReplicaReport(name, instance, in_flight), false);
  }
  void Queue(const std::string& name, int waiting, const std::string& gateway = "g1") {
    scaler_.OnLoad(Gateway(gateway), QueueReport(name, waiting), false);
  }
  void Tick(int count = 1) {
    for (int i = 0; i < count; ++i) {
      clock_.Advance(seconds(1));
      scaler_.Tick();
    }
  }
  // As above, while these go on to report.
  void TickWith(int count, const std::function<void()>& report) {
    for (int i = 0; i < count; ++i) {
      report();
      Tick();
    }
  }
  int Desired(const std::string& name) const {
    const auto found = desired_.find(name);
    return found == desired_.end() ? -1 : found->second;
  }
  std::string Metrics() const { return prometheus::TextSerializer().Serialize(metrics_.Collect()); }
  std::string Counter(const std::string& name, const std::string& direction) const {
    return absl::StrCat("krypton_scaler_decisions_total{agent=\"", name, "\",direction=\"",
                        direction, "\",namespace=\"default\"} ");
  }

  manager::FakeClock clock_;
  prometheus::Registry metrics_;
  std::map<std::string, int> desired_;
  std::vector<v1::ScalingDecision> decisions_;
  Scaler scaler_{{.term = 3}, clock_.clock(), metrics_, [this](v1::ScalingDecision decision) {
                   desired_[decision.key().name()] = decision.desired();
                   decisions_.push_back(std::move(decision));
                 }};
};

TEST_F(ScalerTest, ARequestThatWaitsAtZeroIsDecidedAtOnce) {
  Registry("sleepy", {.serverless = true});
  Queue("sleepy", 1);
  ASSERT_EQ(decisions_.size(), 1u);
  const v1::ScalingDecision& decision = decisions_[0];
  EXPECT_EQ(decision.desired(), 1);
  EXPECT_EQ(decision.previous(), 0);
  EXPECT_EQ(decision.rule(), v1::SCALING_RULE_WAKE);
  EXPECT_EQ(decision.direction(), v1::SCALING_DIRECTION_UP);
  EXPECT_EQ(decision.term(), 3u);
  EXPECT_EQ(decision.sequence(), 1u);
  EXPECT_TRUE(decision.has_decide_time());
  EXPECT_EQ(decision.shard(), resource::ShardOf(AgentKey("default", "sleepy")));
}

TEST_F(ScalerTest, AReportThatIsAheadOfTheRegistryIsDecidedWhenTheRegistryComes) {
  Queue("sleepy", 1);
  EXPECT_TRUE(decisions_.empty());
  Registry("sleepy", {.serverless = true});
  EXPECT_EQ(Desired("sleepy"), 1);
}

TEST_F(ScalerTest, WhatWaitsWhileItStartsIsNotWokenTwice) {
  Registry("sleepy", {.serverless = true});
  for (int i = 0; i < 20; ++i) Queue("sleepy", 1);
  Tick(5);
  EXPECT_EQ(decisions_.size(), 1u);
}

TEST_F(ScalerTest, ACrowdScalesOutBetweenTicks) {
  Registry("sleepy", {.serverless = true});
  Queue("sleepy", 1);
  clock_.Advance(std::chrono::milliseconds(200));
  Queue("sleepy", 1000);
  EXPECT_EQ(Desired("sleepy"), 10);
}

TEST_F(ScalerTest, DemandIsTheSumOfAllSources) {
  Registry("echo", {}, {"r1", "r2"});
  Load("echo", "r1", 8);
  Load("echo", "r2", 8);
  Queue("echo", 5, "g1");
  Queue("echo", 25, "g2");
  Tick();
  EXPECT_EQ(Desired("echo"), 8);  // 46 / 6.4
  EXPECT_DOUBLE_EQ(decisions_.back().demand(), 46);
  EXPECT_DOUBLE_EQ(decisions_.back().waiting(), 30);
  EXPECT_EQ(decisions_.back().sources(), 4);
}

TEST_F(ScalerTest, GoesToZeroAfterScaleToZeroAfterAndWakesAgain) {
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5});
  Queue("sleepy", 1);
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"r1"});
  Load("sleepy", "r1", 0.4);
  Queue("sleepy", 0);
  Tick();
  Load("sleepy", "r1", 0);
  Tick(4);
  EXPECT_EQ(Desired("sleepy"), 1);
  Tick();
  EXPECT_EQ(Desired("sleepy"), 0);
  EXPECT_EQ(decisions_.back().rule(), v1::SCALING_RULE_IDLE);
  // The replica still drains when the next call comes.
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"r1"}, 0,
           v1::ENDPOINT_STATE_DRAINING);
  Queue("sleepy", 1);
  EXPECT_EQ(Desired("sleepy"), 1);
}

TEST_F(ScalerTest, ACallThatHasJustLeftTheQueueKeepsAwake) {
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 1});
  Queue("sleepy", 1);
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 1}, {"r1"});
  Load("sleepy", "r1", 0);  // It is ready; the call that waited has not reached it yet.
  v1::ReportRequest report = QueueReport("sleepy", 0);
  report.mutable_queues(0)->set_in_flight(1);
  scaler_.OnLoad(Gateway("g1"), report, false);
  Tick(5);
  EXPECT_EQ(Desired("sleepy"), 1);
  Queue("sleepy", 0);
  Tick(2);
  EXPECT_EQ(Desired("sleepy"), 0);
}

TEST_F(ScalerTest, BytesOnAStreamKeepAwakeSilenceDoesNot) {
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5});
  Queue("sleepy", 1);
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"r1"});
  Queue("sleepy", 0);
  const auto stream = [&](bool bytes) {
    v1::ReportRequest report = ReplicaReport("sleepy", "r1", 0);
    report.mutable_replicas(0)->set_streams(1);
    if (bytes) {
      *report.mutable_replicas(0)->mutable_last_activity() = manager::ToProto(clock_.Wall());
    }
    scaler_.OnLoad(Sidecar("r1"), report, false);
  };
  TickWith(30, [&] { stream(true); });
  EXPECT_EQ(Desired("sleepy"), 1);
  TickWith(6, [&] { stream(false); });
  EXPECT_EQ(Desired("sleepy"), 0);
}

TEST_F(ScalerTest, ASilentSidecarCountsWithItsLastValueUntilItExpires) {
  Known();
  Registry("echo", {.min = 1}, {"r1", "r2", "r3"});
  Load("echo", "r1", 8);
  Load("echo", "r2", 8);
  Load("echo", "r3", 1);
  Tick(26);
  // r2 and r3 go on; r1, with 8 in flight, is not heard any more.
  TickWith(40, [&] {
    Load("echo", "r2", 1);
    Load("echo", "r3", 1);
  });
  EXPECT_EQ(Desired("echo"), -1);
  TickWith(90, [&] {
    Load("echo", "r2", 1);
    Load("echo", "r3", 1);
  });
  EXPECT_EQ(Desired("echo"), 1);
}

TEST_F(ScalerTest, WhileOneGatewayIsSilentTheOtherAgentsGoOnScaling) {
  Known();
  Registry("frozen", {}, {"f1", "f2"});
  Registry("busy", {}, {"b1"});
  Queue("frozen", 3, "g1");
  const auto heartbeats = [&] {
    scaler_.OnLoad(Gateway("g2"), {}, false);
    Load("frozen", "f1", 0);
    Load("frozen", "f2", 0);
    Load("busy", "b1", 0);
  };
  TickWith(70, heartbeats);
  EXPECT_EQ(Desired("frozen"), -1) << "what waited at g1 counts, and nothing goes down";
  Queue("busy", 30, "g2");
  Tick();
  EXPECT_EQ(Desired("busy"), 5);
  TickWith(62, heartbeats);
  EXPECT_EQ(Desired("frozen"), 1) << "g1 has expired";
}

TEST_F(ScalerTest, AfterAChangeOfLeaderNothingGoesDownBeforeAllHaveReportedForAWindow) {
  // The first thing this scaler hears: three replicas run.
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"r1", "r2", "r3"});
  const auto two = [&] {
    Load("sleepy", "r1", 0);
    Load("sleepy", "r2", 0);
  };
  TickWith(65, two);
  EXPECT_EQ(Desired("sleepy"), -1) << "r3 has not been heard of";
  const auto three = [&] {
    two();
    Load("sleepy", "r3", 0);
  };
  TickWith(59, three);
  EXPECT_EQ(Desired("sleepy"), -1);
  TickWith(3, three);
  EXPECT_EQ(Desired("sleepy"), 0);
}

TEST_F(ScalerTest, AfterAChangeOfLeaderGatewaysAreWaitedForToo) {
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"r1"});
  const auto reports = [&] { Load("sleepy", "r1", 0); };
  TickWith(30, reports);
  scaler_.OnLoad(Gateway("g1"), {}, true);
  TickWith(50, reports);
  EXPECT_EQ(Desired("sleepy"), -1);
  TickWith(12, reports);
  EXPECT_EQ(Desired("sleepy"), 0);
}

TEST_F(ScalerTest, AfterAChangeOfLeaderUpIsAtOnce) {
  Registry("echo", {}, {"r1"});
  Queue("echo", 30);
  EXPECT_GE(Desired("echo"), 5);
}

TEST_F(ScalerTest, AReplicaThatNeverReportsAgainHoldsNothingForEver) {
  Registry("sleepy", {.serverless = true, .scale_to_zero_seconds = 5}, {"dead"});
  Tick(160);
  EXPECT_EQ(Desired("sleepy"), 0);
}

TEST_F(ScalerTest, AReportOfAReplicaThatTheRegistryDoesNotNameIsNoDemand) {
  Registry("echo", {.min = 1}, {"r1"});
  for (int i = 0; i < 1000; ++i) Load("echo", absl::StrCat("stranger-", i), 8);
  Tick(5);
  EXPECT_TRUE(decisions_.empty());
}

TEST_F(ScalerTest, AReplicaThatDrainsIsNoDemand) {
  Registry("echo", {.min = 1}, {"r1"}, 1, v1::ENDPOINT_STATE_DRAINING);
  Load("echo", "r1", 100);
  Tick(5);
  EXPECT_TRUE(decisions_.empty());
}

TEST_F(ScalerTest, TheFirstReportOfAGatewaysNewStreamReplacesWhatItSaidBefore) {
  Known();
  Registry("echo", {.min = 1}, {"r1"});
  Registry("other", {.min = 1}, {"o1"});
  Queue("echo", 30);
  EXPECT_EQ(Desired("echo"), 5);
  scaler_.OnLoad(Gateway("g1", 2), QueueReport("other", 1), true);
  TickWith(65, [&] {
    Load("echo", "r1", 0);
    Load("other", "o1", 0);
    scaler_.OnLoad(Gateway("g1", 2), {}, false);
  });
  EXPECT_EQ(Desired("echo"), 1);
}

TEST_F(ScalerTest, AStreamThatWasOvertakenIsNotListenedTo) {
  Registry("sleepy", {.serverless = true});
  scaler_.OnLoad(Gateway("g1", 2), {}, true);
  scaler_.OnLoad(Gateway("g1", 1), QueueReport("sleepy", 5), false);
  EXPECT_TRUE(decisions_.empty());
}

TEST_F(ScalerTest, InventedAgentsAreBoundedLeaveNoSeriesAndAreForgotten) {
  for (int i = 0; i < 20'000; ++i) Queue(absl::StrCat("invented-", i), 1);
  EXPECT_THAT(Metrics(), Not(HasSubstr("invented")));
  Tick(100);
  Registry("sleepy", {.serverless = true});
  Queue("sleepy", 1);
  EXPECT_EQ(decisions_.size(), 1u);
}

TEST_F(ScalerTest, SeriesStartAtZeroCountOncePerTickAndGoWithTheAgent) {
  Registry("sleepy", {.serverless = true});
  EXPECT_THAT(Metrics(), HasSubstr(Counter("sleepy", "up") + "0"));
  EXPECT_THAT(Metrics(), HasSubstr(Counter("sleepy", "noop") + "0"));
  Tick(3);
  EXPECT_THAT(Metrics(), HasSubstr(Counter("sleepy", "noop") + "0")) << "no demand, no replicas";
  Queue("sleepy", 1);
  Tick(3);
  EXPECT_THAT(Metrics(), HasSubstr(Counter("sleepy", "up") + "1"));
  EXPECT_THAT(Metrics(), HasSubstr(Counter("sleepy", "noop") + "2"));
  EXPECT_THAT(
      Metrics(),
      HasSubstr("krypton_agent_replicas_desired{agent=\"sleepy\",namespace=\"default\"} 1"));
  Removed("sleepy");
  EXPECT_THAT(Metrics(), Not(HasSubstr("sleepy")));
}

TEST_F(ScalerTest, ADecisionThatWasRefusedIsMadeAgain) {
  Registry("sleepy", {.serverless = true});
  Queue("sleepy", 1);
  v1::DecisionRefusal refusal;
  *refusal.mutable_key() = AgentKey("default", "sleepy");
  scaler_.OnRefusal(refusal);
  Tick();
  EXPECT_EQ(decisions_.size(), 2u);
  EXPECT_EQ(Desired("sleepy"), 1);
}

TEST_F(ScalerTest, ALowerMaxIsFollowed) {
  Registry("echo", {.max = 8}, {"r1", "r2", "r3", "r4"});
  Registry("echo", {.max = 2, .generation = 2}, {"r1", "r2", "r3", "r4"});
  Tick();
  EXPECT_EQ(Desired("echo"), 2);
  EXPECT_EQ(decisions_.back().rule(), v1::SCALING_RULE_MAX_REPLICAS);
}

TEST_F(ScalerTest, ADeletedAgentThatComesBackBeginsAnew) {
  Registry("sleepy", {.serverless = true});
  Queue("sleepy", 1);
  Removed("sleepy");
  Registry("sleepy", {.serverless = true, .uid = "uid-2"});
  Tick(2);
  EXPECT_EQ(decisions_.size(), 1u);
  Queue("sleepy", 1);
  EXPECT_EQ(decisions_.size(), 2u);
}

}  // namespace
}  // namespace krypton::scaler
