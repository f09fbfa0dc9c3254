// What is written for a resource, in which order, and when nothing is.
#include "manager/platform/kubernetes/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <string>

#include "boost/json/serialize.hpp"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/event_recorder.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/testing.h"
#include "manager/platform/kubernetes/testing/object_store.h"
#include "manager/platform/kubernetes/testing/test_authority.h"

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct PodLooks {
  bool marked = false;
  bool deleting = false;
};

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest() {
    EXPECT_TRUE(authority_.Reload().ok());
    Declare("image: example.com/echo:1");
  }

  void Declare(const std::string& spec, const std::string& uid = "agent-1") {
    const std::string text = R"({"metadata": {"name": "echo", "namespace": "default", "uid": ")" +
                             uid + R"(", "generation": 1}, "spec": {}})";
    boost::json::object object = FromJson(text);
    const auto parsed = FromYaml(
        "apiVersion: krypton.ai/v1alpha1\nkind: Agent\nmetadata: {name: echo, namespace: "
        "default}\nspec:\n  " +
        spec + "\n");
    v1::Agent agent = *parsed->agent();
    agent.mutable_metadata()->set_uid(uid);
    auto declared = std::make_shared<Declared>();
    declared->key = key_;
    declared->uid = uid;
    declared->generation = 1;
    declared->resource = std::make_shared<const resource::Resource>(agent);
    view_.SetDeclared(key_, declared);
    store_.Put("agents/echo", std::move(object));
  }
  // As the watch would.
  void ShowChildren() {
    const auto show = [this](const std::string& path, ChildKind kind) {
      const boost::json::object object = store_.Get(path);
      auto child = object.empty() ? std::nullopt : ReadChild(object);
      view_.SetChild(key_, kind,
                     child.has_value() ? std::make_shared<const ChildInfo>(*child) : nullptr);
    };
    show("deployments/echo", ChildKind::kDeployment);
    show("services/echo", ChildKind::kService);
    show("serviceaccounts/echo", ChildKind::kAccount);
  }
  void ShowPod(const std::string& name, PodLooks looks = {}) {
    auto pod = std::make_shared<PodInfo>();
    pod->key = key_;
    pod->name = name;
    pod->uid = "uid-" + name;
    pod->marked = looks.marked;
    pod->deleting = looks.deleting;
    view_.SetPod(key_, name, pod);
  }
  // As it was written last; "null": taken away.
  std::string CostOf(const std::string& pod) {
    const boost::json::object written = store_.Get("pods/" + pod);
    const auto* cost = Find(written, {"metadata", "annotations", kDeletionCostAnnotation});
    if (cost == nullptr) return "nothing";
    return cost->is_null() ? "null" : std::string(cost->as_string());
  }
  ReconcileResult Reconcile() { return reconciler_.Reconcile(QueueKey(key_)); }
  // Everything is made, seen, and nothing is left to do.
  void Settle(int replicas) {
    view_.SetDesired(key_, replicas);
    ASSERT_TRUE(Reconcile().status.ok());
    ShowChildren();
    ASSERT_TRUE(Reconcile().status.ok());
    store_.TakeWrites();
  }

  const v1::ResourceKey key_ = resource::AgentKey("default", "echo");
  ObjectStore store_;
  prometheus::Registry metrics_;
  Client client_{store_.config(), {.qps = 1000, .burst = 1000, .max_attempts = 1}, metrics_};
  ClusterView view_{[](const resource::Resource&) { return "t"; }};
  TestAuthority files_;
  AuthorityFiles authority_{files_.certificate_file(), files_.key_file()};
  EventRecorder events_{client_, {}, metrics_};
  Announcer announcer_{events_};
  int refused_ = 0;
  Reconciler reconciler_{
      {.objects = {.proxy_image = "proxy:1"}},       client_, view_, authority_, announcer_,
      [this](const v1::ResourceKey&) { ++refused_; }};
};

TEST_F(ReconcilerTest, WhatHasNeverRunCostsNothing) {
  EXPECT_TRUE(Reconcile().status.ok());  // The manager has not said anything yet.
  view_.SetDesired(key_, 0);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, TheFirstReplicaMakesAllThatItNeedsInOrder) {
  view_.SetDesired(key_, 1);
  const ReconcileResult result = Reconcile();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_TRUE(result.again_after.has_value()) << "the certificate is renewed";
  EXPECT_THAT(store_.TakeWrites(),
              ElementsAre("POST serviceaccounts/echo", "PATCH secrets/echo-krypton-proxy",
                          "PATCH deployments/echo", "PATCH services/echo"));
  const boost::json::object deployment = store_.Get("deployments/echo");
  EXPECT_EQ(FindInt(deployment, {"spec", "replicas"}), 1);
  const auto& owners = FindArray(deployment, {"metadata", "ownerReferences"})->at(1);
  EXPECT_EQ(FindString(owners.as_object(), {"uid"}),
            FindString(store_.Get("secrets/echo-krypton-proxy"), {"metadata", "uid"}));
}

TEST_F(ReconcilerTest, NothingIsWrittenWhenNothingChanged) {
  Settle(2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Reconcile().status.ok());
  reconciler_.Forget();  // Another manager leads: it knows the objects only as they are.
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, ScalingWritesTheDeploymentOnly) {
  Settle(1);
  view_.SetDesired(key_, 3);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH deployments/echo"));
  ShowChildren();
  view_.SetDesired(key_, 0);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH deployments/echo"));
  EXPECT_EQ(FindInt(store_.Get("deployments/echo"), {"spec", "replicas"}), 0);
}

TEST_F(ReconcilerTest, IdlePodsAreMarkedBeforeThereAreFewer) {
  Settle(3);
  for (const char* name : {"a", "b", "c"}) ShowPod(name);
  view_.SetIdle(key_, {"uid-c", "uid-gone", "uid-a", "uid-b"});
  view_.SetDesired(key_, 1);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(),
              ElementsAre("PATCH pods/a", "PATCH pods/c", "PATCH deployments/echo"));
  EXPECT_EQ(CostOf("a"), kIdleCost);
  // Until they are gone nothing is left to do.
  for (const char* name : {"a", "c"}) ShowPod(name, {.marked = true});
  ShowChildren();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, AMarkGoesWhenTheScaleDownIsCalledOff) {
  Settle(3);
  ShowPod("a", {.marked = true});
  ShowPod("b", {.marked = true, .deleting = true});
  ShowPod("c");
  // Two are live, and three are wanted: none is to go any more, for whoever leads now.
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH pods/a"));
  EXPECT_EQ(CostOf("a"), "null");
  ShowPod("a");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, AMarkGoesWhenAnotherPodWentInstead) {
  Settle(2);
  ShowPod("a", {.marked = true});
  ShowPod("b");
  ShowPod("c");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty()) << "one of the three is about to go";
  view_.SetPod(key_, "c", nullptr);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH pods/a"));
}

TEST_F(ReconcilerTest, TheCostThatTheSpecSaysComesBackWithTheMarksEnd) {
  Declare(std::string("{image: 'example.com/echo:1', podAnnotations: {") + kDeletionCostAnnotation +
          ": '7'}}");
  Settle(1);
  ShowPod("a", {.marked = true});
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH pods/a"));
  EXPECT_EQ(CostOf("a"), "7");
}

TEST_F(ReconcilerTest, WhatWasChangedByHandIsPutRightAndWhatWasAddedStays) {
  Settle(1);
  boost::json::object deployment = store_.Get("deployments/echo");
  deployment["metadata"].as_object()["annotations"].as_object()["mine"] = "1";
  store_.Put("deployments/echo", deployment);
  ShowChildren();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
  deployment["spec"].as_object()["replicas"] = 9;
  store_.Put("deployments/echo", deployment);
  ShowChildren();
  reconciler_.Forget();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH deployments/echo"));
}

TEST_F(ReconcilerTest, WhatTheServerWritesInItsOwnWayIsNotWrittenAgain) {
  Settle(1);
  boost::json::object deployment = store_.Get("deployments/echo");
  deployment["spec"].as_object()["progressDeadlineSeconds"] = "600";  // "1000m" would become "1".
  store_.Put("deployments/echo", deployment);
  ShowChildren();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty()) << "so shortly after it was written";
}

TEST_F(ReconcilerTest, AJustWrittenChildThatTheWatchDoesNotShowYetIsNotWrittenAgain) {
  view_.SetDesired(key_, 1);
  ASSERT_TRUE(Reconcile().status.ok());
  store_.TakeWrites();
  const ReconcileResult again = Reconcile();
  EXPECT_TRUE(again.status.ok());
  EXPECT_LE(*again.again_after, std::chrono::seconds(3));
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("POST serviceaccounts/echo"));
}

TEST_F(ReconcilerTest, ASecretThatIsGoneIsMadeAgain) {
  Settle(1);
  store_.Remove("secrets/" + SecretName(key_));
  // What the garbage collector does then.
  boost::json::object deployment = store_.Get("deployments/echo");
  deployment["metadata"].as_object()["ownerReferences"].as_array().pop_back();
  store_.Put("deployments/echo", deployment);
  ShowChildren();
  reconciler_.Forget();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(),
              ElementsAre("PATCH secrets/echo-krypton-proxy", "PATCH deployments/echo"));
}

TEST_F(ReconcilerTest, ACertificateOfAnotherAuthorityIsReplacedWithoutARoll) {
  Settle(1);
  const auto pods = *Find(store_.Get("deployments/echo"), {"spec", "template"});
  boost::json::object deployment = store_.Get("deployments/echo");
  deployment["metadata"].as_object()["annotations"].as_object()[kCertificateAnnotation] = "x/1";
  store_.Put("deployments/echo", deployment);
  ShowChildren();
  reconciler_.Forget();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(),
              ElementsAre("PATCH secrets/echo-krypton-proxy", "PATCH deployments/echo"));
  EXPECT_EQ(*Find(store_.Get("deployments/echo"), {"spec", "template"}), pods);
}

TEST_F(ReconcilerTest, NothingIsMadeForAnAgentThatIsGone) {
  view_.SetDesired(key_, 1);
  store_.Remove("agents/echo");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
  Declare("image: example.com/echo:1", "agent-2");
  view_.SetDesired(key_, 1);
  boost::json::object leaving = store_.Get("agents/echo");
  leaving["metadata"].as_object()["deletionTimestamp"] = "2026-11-24T10:00:00Z";
  store_.Put("agents/echo", leaving);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, WhatBelongsToAnotherOwnerIsLeftAlone) {
  Settle(1);
  Declare("image: example.com/echo:1", "agent-2");  // Deleted and made anew.
  view_.SetDesired(key_, 1);
  EXPECT_TRUE(absl::IsUnavailable(Reconcile().status));
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
  EXPECT_EQ(refused_, 0) << "it goes by itself";
}

TEST_F(ReconcilerTest, PodsThatAreLeftOfAnAgentKeepItsSecretUntilTheyAreGone) {
  Settle(2);
  ShowPod("a", {.deleting = true});
  ShowPod("b", {.deleting = true});
  view_.SetDeclared(key_, nullptr);
  store_.Remove("agents/echo");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty()) << "the Deployment, whom the Secret owns, is there";
  for (const char* path : {"secrets/echo-krypton-proxy", "deployments/echo", "services/echo",
                           "serviceaccounts/echo"}) {
    store_.Remove(path);
  }
  ShowChildren();
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH secrets/echo-krypton-proxy"));
  const boost::json::object secret = store_.Get("secrets/echo-krypton-proxy");
  const boost::json::array& owners = *FindArray(secret, {"metadata", "ownerReferences"});
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(FindString(owners[0].as_object(), {"uid"}), "uid-a");
  EXPECT_EQ(FindString(owners[1].as_object(), {"kind"}), "Pod");
  EXPECT_EQ(FindObject(secret, {"data"})->size(), 4u);
  // The next one of the name makes it its own.
  Declare("image: example.com/echo:1", "agent-2");
  view_.SetDesired(key_, 1);
  store_.Remove("secrets/echo-krypton-proxy");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), testing::Contains("PATCH secrets/echo-krypton-proxy"));
}

TEST_F(ReconcilerTest, ASecretIsNotKeptWhereNothingCanBeMadeOrNobodyNeedsIt) {
  Settle(1);
  ShowPod("a", {.deleting = true});
  view_.SetDeclared(key_, nullptr);
  store_.Remove("deployments/echo");
  ShowChildren();
  store_.Refuse("secrets/echo-krypton-proxy", 403, "Forbidden");  // The namespace ends.
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("PATCH secrets/echo-krypton-proxy"));
  view_.SetPod(key_, "a", nullptr);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), IsEmpty());
}

TEST_F(ReconcilerTest, SomebodysServiceOfTheNameIsNotTaken) {
  store_.Put("services/echo", FromJson(R"({"metadata": {"uid": "theirs"}})"));
  view_.SetDesired(key_, 1);
  EXPECT_TRUE(absl::IsAlreadyExists(Reconcile().status));
  EXPECT_EQ(FindString(store_.Get("services/echo"), {"metadata", "uid"}), "theirs");
  EXPECT_THAT(view_.Get(key_)->refusal, HasSubstr("belongs to somebody else"));
  EXPECT_EQ(refused_, 1);
}

TEST_F(ReconcilerTest, AServicesPortsArePutInPlaceAsAWholeWhereApplyingThemIsRefused) {
  Settle(1);
  boost::json::object service = store_.Get("services/echo");
  service["spec"].as_object()["ports"].as_array()[0].as_object()["port"] = 1234;
  store_.Put("services/echo", service);
  store_.Refuse("services/echo", 422, "Invalid");  // Two ports of one name.
  ShowChildren();
  reconciler_.Forget();
  EXPECT_FALSE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(),
              ElementsAre("PATCH services/echo", "PATCH services/echo", "PATCH services/echo"));
}

TEST_F(ReconcilerTest, SomebodyElsesSecretOfThatNameStaysTheirs) {
  const boost::json::object theirs{{"data", boost::json::object{{"mine", "eA=="}}}};
  store_.Put("secrets/" + SecretName(key_), theirs);
  view_.SetDesired(key_, 1);
  EXPECT_EQ(Reconcile().status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_.Get("secrets/" + SecretName(key_)).at("data"), theirs.at("data"));
}

TEST_F(ReconcilerTest, AServiceThatIsNotWantedAnyMoreGoes) {
  Settle(1);
  Declare("{image: 'example.com/echo:1', service: false, serviceAccountName: robot}");
  view_.SetDesired(key_, 1);
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_THAT(store_.TakeWrites(), ElementsAre("DELETE serviceaccounts/echo",
                                               "PATCH deployments/echo", "DELETE services/echo"));
}

TEST_F(ReconcilerTest, WhatTheServerRefusesIsSaidUntilItDoesNot) {
  store_.Refuse("deployments/echo", 422, "Invalid");
  view_.SetDesired(key_, 1);
  EXPECT_FALSE(Reconcile().status.ok());
  EXPECT_FALSE(Reconcile().status.ok());
  EXPECT_EQ(refused_, 1);
  EXPECT_FALSE(view_.Get(key_)->refusal.empty());
  store_.Refuse("deployments/echo", 0, "");
  EXPECT_TRUE(Reconcile().status.ok());
  EXPECT_EQ(view_.Get(key_)->refusal, "");
  EXPECT_EQ(refused_, 2);
}

}  // namespace
}  // namespace krypton::kube
