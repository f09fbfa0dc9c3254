#include "manager/platform/kubernetes/objects/declared.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/testing.h"

namespace krypton::kube {
namespace {

using testing::HasSubstr;

constexpr char kAgent[] = R"({
  "apiVersion": "krypton.ai/v1alpha1", "kind": "Agent",
  "metadata": {
    "name": "echo", "namespace": "default", "uid": "u-1", "generation": 3, "resourceVersion": "77",
    "creationTimestamp": "2026-11-24T10:00:00Z", "labels": {"team": "red"},
    "annotations": {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{long}"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "ownerReferences": [{"name": "x"}], "finalizers": ["a/b"]},
  "spec": {
    "image": "example.com/echo:1", "mode": "serverless", "scaleToZeroAfter": "90s",
    "env": [{"name": "YES", "value": "true"}], "podLabels": {"tier": "2"},
    "securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
    "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}}},
  "status": {
    "phase": "Scaling", "replicas": 2, "readyReplicas": 1, "desiredReplicas": 3,
    "url": "http://gw/v1/agents/default/echo", "observedGeneration": 2,
    "lastInvocationAt": "2026-11-24T11:00:00Z",
    "conditions": [{"type": "Available", "status": "True", "reason": "Ready", "message": "m",
                    "lastTransitionTime": "2026-11-24T10:30:00Z", "observedGeneration": 2}]}})";

TEST(DeclaredTest, ReadsSpecMetadataAndStatus) {
  const Declared declared = ReadDeclared(v1::RESOURCE_KIND_AGENT, FromJson(kAgent));
  EXPECT_TRUE(declared.problems.empty()) << declared.problems[0].reason();
  ASSERT_NE(declared.resource, nullptr);
  EXPECT_EQ(declared.uid, "u-1");
  EXPECT_FALSE(declared.deleting);
  const v1::Agent& agent = *declared.resource->agent();
  EXPECT_EQ(declared.resource->generation(), 3);
  EXPECT_EQ(agent.metadata().creation_timestamp().seconds(), 1795514400);
  EXPECT_EQ(agent.metadata().labels().at("team"), "red");
  EXPECT_EQ(agent.metadata().annotations().size(), 1u);
  EXPECT_EQ(agent.spec().env(0).value(), "true");
  EXPECT_EQ(agent.spec().scale_to_zero_after().seconds(), 90);
  EXPECT_EQ(agent.spec().concurrency(), 8) << "defaulted";
  EXPECT_EQ(agent.spec().pod().pod_labels().at("tier"), "2");
  EXPECT_EQ(agent.status().phase(), v1::AGENT_PHASE_SCALING);
  EXPECT_EQ(agent.status().desired_replicas(), 3);
  EXPECT_EQ(agent.status().last_invocation_at().seconds(), 1795518000);
  ASSERT_EQ(agent.status().conditions_size(), 1);
  EXPECT_EQ(agent.status().conditions(0).status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(agent.status().conditions(0).last_transition_time().seconds(), 1795516200);
}

TEST(DeclaredTest, WhatAnOlderDefinitionAdmittedIsAProblemAndNoResource) {
  for (const auto& [spec, field] : {std::pair{R"({"image": "x", "port": 70000})", "spec.port"},
                                    std::pair{R"({"image": "x", "ports": 1})", "spec.ports"},
                                    std::pair{R"({"image": 7})", "spec.image"},
                                    std::pair{R"({})", "spec.image"}, std::pair{R"([])", "spec"}}) {
    boost::json::object object = FromJson(kAgent);
    object["spec"] = boost::json::parse(spec);
    const Declared declared = ReadDeclared(v1::RESOURCE_KIND_AGENT, object);
    EXPECT_EQ(declared.resource, nullptr) << spec;
    ASSERT_FALSE(declared.problems.empty()) << spec;
    EXPECT_THAT(declared.problems[0].reason(), HasSubstr(field));
    EXPECT_EQ(declared.problems[0].key().name(), "echo");
    EXPECT_EQ(declared.generation, 3);
  }
}

TEST(DeclaredTest, AnObjectThatSaysNothingIsNoCrash) {
  const Declared declared = ReadDeclared(v1::RESOURCE_KIND_MODEL, FromJson("{}"));
  EXPECT_EQ(declared.resource, nullptr);
  EXPECT_FALSE(declared.problems.empty());
}

TEST(DeclaredTest, AStatusIsNoChangeOfTheDeclaration) {
  const Declared before = ReadDeclared(v1::RESOURCE_KIND_AGENT, FromJson(kAgent));
  boost::json::object object = FromJson(kAgent);
  object["status"].as_object()["replicas"] = 9;
  object["metadata"].as_object()["resourceVersion"] = "78";
  EXPECT_TRUE(SameButStatus(before, ReadDeclared(v1::RESOURCE_KIND_AGENT, object)));
  object["metadata"].as_object()["labels"].as_object()["team"] = "blue";
  EXPECT_FALSE(SameButStatus(before, ReadDeclared(v1::RESOURCE_KIND_AGENT, object)));
}

}  // namespace
}  // namespace krypton::kube
