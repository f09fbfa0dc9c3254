#include "manager/platform/kubernetes/objects/status_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "boost/json/serialize.hpp"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/testing.h"

namespace krypton::kube {
namespace {

using testing::HasSubstr;

Declared MakeDeclared() {
  Declared declared;
  declared.key = resource::AgentKey("default", "echo");
  declared.uid = "u-1";
  declared.generation = 2;
  return declared;
}

v1::AgentStatus MakeStatus() {
  v1::AgentStatus status;
  status.set_phase(v1::AGENT_PHASE_READY);
  status.set_replicas(1);
  status.set_ready_replicas(1);
  status.set_desired_replicas(1);
  status.set_url("http://gw/x");
  status.set_observed_generation(2);
  status.mutable_last_invocation_at()->set_seconds(1795518000);
  status.mutable_last_invocation_at()->set_nanos(5);
  v1::Condition& ready = *status.add_conditions();
  ready.set_type("Ready");
  ready.set_status(v1::CONDITION_STATUS_TRUE);
  ready.set_reason("Ready");
  ready.set_message("1 of 1 replicas are ready");
  ready.set_observed_generation(2);
  ready.mutable_last_transition_time()->set_seconds(1795516200);
  return status;
}

TEST(StatusObjectTest, IsTheWholeIntent) {
  EXPECT_EQ(
      boost::json::serialize(StatusObject(MakeDeclared(), MakeStatus())),
      R"({"apiVersion":"krypton.ai/v1alpha1","kind":"Agent",)"
      R"("metadata":{"name":"echo","namespace":"default","uid":"u-1"},)"
      R"("status":{"phase":"Ready","replicas":1,"readyReplicas":1,"desiredReplicas":1,)"
      R"("url":"http://gw/x","observedGeneration":2,"selector":"krypton.ai/agent=echo",)"
      R"("lastInvocationAt":"2026-11-24T11:00:00Z","conditions":[{"type":"Ready","status":"True",)"
      R"("lastTransitionTime":"2026-11-24T10:30:00Z","reason":"Ready",)"
      R"("message":"1 of 1 replicas are ready","observedGeneration":2}]}})");
}

TEST(StatusObjectTest, WhatIsReadBackIsTheSame) {
  boost::json::object object = StatusObject(MakeDeclared(), MakeStatus());
  object["spec"] = boost::json::object{{"image", "x"}};
  const Declared read = ReadDeclared(v1::RESOURCE_KIND_AGENT, object);
  ASSERT_NE(read.resource, nullptr);
  EXPECT_TRUE(SameStatus(read.status, MakeStatus()));
  v1::AgentStatus other = MakeStatus();
  other.set_ready_replicas(0);
  EXPECT_FALSE(SameStatus(read.status, other));
  EXPECT_FALSE(SameStatus(v1::ModelStatus(), other));
}

TEST(StatusObjectTest, ARefusedSpecIsSaidAndTheLastGoodOneGoesOn) {
  Declared declared = MakeDeclared();
  declared.generation = 3;
  declared.problems.emplace_back().set_reason("agent \"default/echo\": spec.port 0 is not in 1..");
  const auto now = std::chrono::system_clock::from_time_t(1795520000);
  const auto status = std::get<v1::AgentStatus>(RefusedStatus(declared, MakeStatus(), now));
  EXPECT_EQ(status.phase(), v1::AGENT_PHASE_READY);
  EXPECT_EQ(status.observed_generation(), 2);
  ASSERT_EQ(status.conditions_size(), 2);
  const v1::Condition& ready = status.conditions(0);
  EXPECT_EQ(ready.status(), v1::CONDITION_STATUS_FALSE);
  EXPECT_EQ(ready.last_transition_time().seconds(), 1795520000);
  const v1::Condition& accepted = status.conditions(1);
  EXPECT_EQ(accepted.type(), "Accepted");
  EXPECT_EQ(accepted.reason(), "InvalidSpec");
  EXPECT_EQ(accepted.observed_generation(), 3);
  EXPECT_THAT(accepted.message(), HasSubstr("spec.port"));
  declared.status = status;
  const auto later = RefusedStatus(declared, MakeStatus(), now + std::chrono::hours(1));
  EXPECT_TRUE(SameStatus(later, status)) << "a condition keeps its time";
}

TEST(StatusObjectTest, WhatWasNeverGoodHasFailed) {
  Declared declared = MakeDeclared();
  declared.problems.emplace_back().set_reason("spec.image is required");
  const auto status = std::get<v1::AgentStatus>(
      RefusedStatus(declared, v1::AgentStatus(), std::chrono::system_clock::now()));
  EXPECT_EQ(status.phase(), v1::AGENT_PHASE_FAILED);
  EXPECT_EQ(status.conditions_size(), 3);
}

}  // namespace
}  // namespace krypton::kube
