#include "manager/platform/kubernetes/objects/child_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/testing.h"

namespace krypton::kube {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kDeployment[] = R"({
  "metadata": {"name": "echo", "namespace": "default", "uid": "d-1", "resourceVersion": "5",
    "managedFields": [{"manager": "x"}], "labels": {"krypton.ai/agent": "echo"},
    "annotations": {"krypton.ai/sidecar-certificate": "c", "deployment.kubernetes.io/revision": "1"},
    "ownerReferences": [{"kind": "Agent", "uid": "a-1", "controller": true},
                        {"kind": "Secret", "uid": "s-1"}]},
  "spec": {"replicas": 3},
  "status": {"conditions": [{"type": "ReplicaFailure", "status": "True",
    "message": "pods \"x\" is forbidden: violates PodSecurity"}]}})";

TEST(ChildInfoTest, KeepsWhatIsCompared) {
  const auto child = ReadChild(FromJson(kDeployment));
  ASSERT_TRUE(child.has_value());
  EXPECT_TRUE(resource::KeyEqual()(child->key, resource::AgentKey("default", "echo")));
  EXPECT_EQ(child->owner_uid, "a-1");
  EXPECT_EQ(child->secret_uid, "s-1");
  EXPECT_EQ(child->certificate, "c");
  EXPECT_EQ(child->replicas, 3);
  EXPECT_THAT(child->failure, HasSubstr("PodSecurity"));
  EXPECT_THAT(child->live, HasSubstr("revision"));
  EXPECT_THAT(child->live, Not(HasSubstr("managedFields")));
  EXPECT_THAT(child->live, Not(HasSubstr("ReplicaFailure")));
}

TEST(ChildInfoTest, AChangeOfTheStatusAloneIsNone) {
  const auto before = ReadChild(FromJson(kDeployment));
  boost::json::object object = FromJson(kDeployment);
  object["status"].as_object()["readyReplicas"] = 2;
  object["metadata"].as_object()["resourceVersion"] = "6";
  EXPECT_TRUE(SameChild(*before, *ReadChild(object)));
  object["spec"].as_object()["replicas"] = 2;
  EXPECT_FALSE(SameChild(*before, *ReadChild(object)));
}

TEST(ChildInfoTest, WhatIsNobodysIsNone) {
  EXPECT_FALSE(ReadChild(FromJson("{}")).has_value());
  EXPECT_FALSE(ReadChild(FromJson(R"({"metadata": {"labels": {"a": "b"}}})")).has_value());
}

}  // namespace
}  // namespace krypton::kube
