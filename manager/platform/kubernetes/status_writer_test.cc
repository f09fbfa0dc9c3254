#include "manager/platform/kubernetes/status_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/testing/object_store.h"
#include "manager/platform/kubernetes/testing/things.h"

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class StatusWriterTest : public testing::Test {
 protected:
  void Write() { EXPECT_TRUE(writer_.Reconcile(QueueKey(key_)).status.ok()); }

  const v1::ResourceKey key_ = resource::AgentKey("default", "echo");
  ObjectStore store_;
  prometheus::Registry metrics_;
  Client client_{store_.config(), {.qps = 1000, .burst = 1000, .max_attempts = 1}, metrics_};
  ClusterView view_{[](const resource::Resource&) { return "t"; }};
  StatusWriter writer_{client_, view_};
};

TEST_F(StatusWriterTest, WritesWhatDiffersAndNothingElse) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  Write();
  EXPECT_THAT(store_.TakeWrites(), IsEmpty()) << "the manager has said nothing";
  v1::AgentStatus status;
  status.set_desired_replicas(2);
  view_.SetStatus(key_, status);
  Write();
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH agents/echo/status"));
  EXPECT_EQ(FindInt(store_.Get("agents/echo/status"), {"status", "desiredReplicas"}), 2);

  auto written = MakeDeclared("echo");
  written->status = status;
  view_.SetDeclared(key_, written);
  Write();
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(StatusWriterTest, ARefusedSpecIsSaid) {
  view_.SetDeclared(key_, MakeDeclared("echo", {.valid = false}));
  Write();
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH agents/echo/status"));
  const boost::json::object object = store_.Get("agents/echo/status");
  EXPECT_EQ(FindString(object, {"status", "phase"}), "Failed");
}

TEST_F(StatusWriterTest, WhatIsGoneHasNoStatus) {
  v1::AgentStatus status;
  status.set_desired_replicas(2);
  view_.SetDeclared(key_, MakeDeclared("echo"));
  view_.SetStatus(key_, status);
  store_.Refuse("agents/echo/status", 404, "NotFound");
  Write();
  store_.TakeWrites();
  view_.SetDeclared(key_, MakeDeclared("echo", {.deleting = true}));
  Write();
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

}  // namespace
}  // namespace krypton::kube
