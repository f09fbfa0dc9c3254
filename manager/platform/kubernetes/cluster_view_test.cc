#include "manager/platform/kubernetes/cluster_view.h"

#include <gtest/gtest.h>

#include "manager/platform/kubernetes/testing/things.h"

namespace krypton::kube {
namespace {

class ClusterViewTest : public testing::Test {
 protected:
  const v1::ResourceKey key_ = resource::AgentKey("default", "echo");
  ClusterView view_{
      [](const resource::Resource& r) { return "t" + std::to_string(r.generation()); }};
};

TEST_F(ClusterViewTest, WishesCountOnlyForWhatIsThere) {
  EXPECT_FALSE(view_.SetDesired(key_, 1));
  view_.SetDeclared(key_, MakeDeclared("echo"));
  EXPECT_TRUE(view_.SetDesired(key_, 1));
  EXPECT_FALSE(view_.SetDesired(key_, 1)) << "no news";
  view_.ForgetWishes();
  EXPECT_FALSE(view_.Get(key_)->desired.has_value());
}

TEST_F(ClusterViewTest, AnotherOneOfTheNameInheritsNothing) {
  view_.SetDeclared(key_, MakeDeclared("echo", {.uid = "u1"}));
  view_.SetDesired(key_, 3);
  view_.SetDeclared(key_, MakeDeclared("echo", {.uid = "u1", .generation = 2}));
  EXPECT_EQ(view_.Get(key_)->desired, 3);
  EXPECT_EQ(view_.Get(key_)->pod_template, "t2");
  view_.SetDeclared(key_, MakeDeclared("echo", {.uid = "u2"}));
  EXPECT_FALSE(view_.Get(key_)->desired.has_value());
}

TEST_F(ClusterViewTest, TheLastGoodVersionStays) {
  view_.SetDeclared(key_, MakeDeclared("echo", {.generation = 1}));
  view_.SetDeclared(key_, MakeDeclared("echo", {.generation = 2, .valid = false}));
  EXPECT_EQ(view_.Get(key_)->resource->generation(), 1);
  EXPECT_EQ(view_.Get(key_)->declared->generation, 2);
}

TEST_F(ClusterViewTest, WhatIsGoneLeavesNothing) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  view_.SetPod(key_, "p1", MakePod("p1"));
  EXPECT_EQ(view_.FindPod("uid-p1")->name, "p1");
  view_.SetDeclared(key_, nullptr);
  EXPECT_TRUE(view_.Get(key_).has_value()) << "its pod is still there";
  view_.SetPod(key_, "p1", nullptr);
  EXPECT_FALSE(view_.Get(key_).has_value());
  EXPECT_EQ(view_.FindPod("uid-p1"), nullptr);
  EXPECT_TRUE(view_.Keys().empty());
}

TEST_F(ClusterViewTest, ANewWordOnAPodOverrulesWhatWasFoundOut) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  view_.SetPod(key_, "p1", MakePod("p1"));
  EXPECT_TRUE(view_.SetSilent(key_, "uid-p1", true));
  EXPECT_FALSE(view_.SetSilent(key_, "uid-p1", true));
  view_.SetPod(key_, "p1", MakePod("p1"));
  EXPECT_TRUE(view_.Get(key_)->silent.empty());
}

}  // namespace
}  // namespace krypton::kube
