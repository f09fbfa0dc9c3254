#include "manager/platform/kubernetes/client/resource.h"

#include <gtest/gtest.h>

namespace krypton::kube {
namespace {

TEST(ResourceTest, PathsAreTheServers) {
  const GroupVersionResource deployments = {"apps", "v1", "deployments"};
  const GroupVersionResource pods = {"", "v1", "pods"};
  EXPECT_EQ(CollectionPath(deployments, "default"), "/apis/apps/v1/namespaces/default/deployments");
  EXPECT_EQ(CollectionPath(pods, ""), "/api/v1/pods");
  EXPECT_EQ(ObjectPath(pods, {"default", "echo-1"}), "/api/v1/namespaces/default/pods/echo-1");
  EXPECT_EQ(ObjectPath({"krypton.ai", "v1alpha1", "agents"}, {"a", "b"}, "status"),
            "/apis/krypton.ai/v1alpha1/namespaces/a/agents/b/status");
  EXPECT_EQ(ObjectPath(pods, {"../x", "a b/c?d"}), "/api/v1/namespaces/..%2Fx/pods/a%20b%2Fc%3Fd");
}

TEST(ResourceTest, NamesForPeople) {
  EXPECT_EQ(ToString(ObjectName{"default", "echo"}), "default/echo");
  EXPECT_EQ(ToString(ObjectName{"", "node1"}), "node1");
  EXPECT_EQ(ToString(GroupVersionResource{"apps", "v1", "deployments"}), "deployments.apps");
  EXPECT_EQ(ToString(GroupVersionResource{"", "v1", "pods"}), "pods");
}

}  // namespace
}  // namespace krypton::kube
