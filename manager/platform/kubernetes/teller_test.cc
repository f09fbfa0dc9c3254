// What the manager is told, and what it is not told twice.
#include "manager/platform/kubernetes/teller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"
#include "manager/platform/kubernetes/testing/things.h"

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Writes each call down.
class Listener : public platform::PlatformListener {
 public:
  void OnLeadership(bool leader, uint64_t term, std::string address) override {
    Note(absl::StrCat(leader ? "leads " : "follows ", term, " ", address));
  }
  void OnResource(std::shared_ptr<const resource::Resource> resource) override {
    Note(absl::StrCat("resource ", resource->generation()));
  }
  void OnResourceDeleted(const v1::ResourceKey& key) override {
    Note(absl::StrCat("deleted ", key.name()));
  }
  void OnReplicas(const v1::ResourceKey&, std::vector<platform::Replica> replicas) override {
    std::string text = "replicas";
    for (const platform::Replica& replica : replicas) {
      absl::StrAppend(&text, " ", replica.ref, "/", replica.generation, "/",
                      static_cast<int>(replica.phase));
    }
    Note(text);
  }
  void OnTrouble(const v1::ResourceKey&, std::string trouble) override {
    Note(absl::StrCat("trouble ", trouble));
  }
  void OnManifestProblems(std::vector<v1::ManifestProblem> problems) override {
    Note(absl::StrCat("problems ", problems.size()));
  }
  void OnSynced() override { Note("synced"); }

  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(calls_, {});
  }

 private:
  void Note(std::string call) {
    std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
  }
  std::mutex mutex_;
  std::vector<std::string> calls_;
};

class TellerTest : public testing::Test {
 protected:
  TellerTest() { teller_.Start(); }

  // What the manager hears until everything that waits is told.
  std::vector<std::string> Told() {
    teller_.Synced();
    std::vector<std::string> calls;
    EXPECT_TRUE(WaitFor([&] {
      for (std::string& call : listener_.Take()) calls.push_back(std::move(call));
      return !calls.empty() && calls.back() == "synced";
    }));
    calls.pop_back();
    return calls;
  }
  std::vector<std::string> Changed() {
    teller_.Changed(key_);
    return Told();
  }

  const v1::ResourceKey key_ = resource::AgentKey("default", "echo");
  ClusterView view_{
      [](const resource::Resource& r) { return "t" + std::to_string(r.generation()); }};
  Listener listener_;
  Teller teller_{view_, listener_, nullptr};
};

TEST_F(TellerTest, AResourceAndItsReplicasAreToldOnce) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  EXPECT_THAT(Changed(), ElementsAre("resource 1"));
  EXPECT_THAT(Changed(), IsEmpty());
  view_.SetPod(key_, "p1", MakePod("p1"));
  EXPECT_THAT(Changed(), ElementsAre("replicas p1/1/0"));
  EXPECT_THAT(Changed(), IsEmpty());
}

TEST_F(TellerTest, PodsOfAnEarlierTemplateAreOfAnEarlierGeneration) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  view_.SetPod(key_, "p1", MakePod("p1"));
  Changed();
  view_.SetDeclared(key_, MakeDeclared("echo", {.generation = 2}));
  EXPECT_THAT(Changed(), ElementsAre("resource 2"));
  view_.SetPod(key_, "p2", MakePod("p2", "t2"));
  EXPECT_THAT(Changed(), ElementsAre("replicas p1/1/0 p2/2/0"));
}

TEST_F(TellerTest, AChangeThatPodsDoNotShowIsNoRoll) {
  ClusterView view([](const resource::Resource&) { return "t1"; });
  Teller teller(view, listener_, nullptr);
  teller.Start();
  view.SetPod(key_, "p1", MakePod("p1"));
  view.SetDeclared(key_, MakeDeclared("echo"));
  teller.Changed(key_);
  std::vector<std::string> calls;
  const auto wait_for = [&](const std::string& last) {
    calls.clear();
    return WaitFor([&] {
      for (std::string& call : listener_.Take()) calls.push_back(std::move(call));
      return !calls.empty() && calls.back() == last;
    });
  };
  EXPECT_TRUE(wait_for("replicas p1/1/0"));
  view.SetDeclared(key_, MakeDeclared("echo", {.generation = 2}));
  teller.Changed(key_);
  EXPECT_TRUE(wait_for("resource 2"));
  EXPECT_THAT(calls, ElementsAre("replicas p1/2/0", "resource 2"));
}

TEST_F(TellerTest, StatusIsToldOnlyWhileAnotherLeads) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  Changed();
  const auto with_status = [&](int desired) {
    auto declared = MakeDeclared("echo");
    v1::AgentStatus status;
    status.set_desired_replicas(desired);
    declared->status = status;
    return declared;
  };
  view_.SetDeclared(key_, with_status(2));
  EXPECT_THAT(Changed(), ElementsAre("resource 1"));
  teller_.Leadership(true, 3, "me:7070");
  view_.SetDeclared(key_, with_status(3));
  EXPECT_THAT(Changed(), ElementsAre("leads 3 me:7070"));
}

TEST_F(TellerTest, ARefusedSpecLeavesTheLastGoodOne) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  Changed();
  view_.SetDeclared(key_, MakeDeclared("echo", {.generation = 2, .valid = false}));
  EXPECT_THAT(Changed(), ElementsAre("problems 1"));
  view_.SetDeclared(key_, MakeDeclared("echo", {.generation = 3}));
  EXPECT_THAT(Changed(), ElementsAre("problems 0", "resource 3"));
}

TEST_F(TellerTest, WhatIsDeletedOrBeingDeletedIsGone) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  Changed();
  view_.SetDeclared(key_, MakeDeclared("echo", {.deleting = true}));
  EXPECT_THAT(Changed(), ElementsAre("deleted echo"));
  view_.SetDeclared(key_, nullptr);
  EXPECT_THAT(Changed(), IsEmpty());
}

TEST_F(TellerTest, AnotherOneOfTheNameIsAnotherOne) {
  view_.SetDeclared(key_, MakeDeclared("echo", {.uid = "u1", .generation = 4}));
  Changed();
  view_.SetDeclared(key_, MakeDeclared("echo", {.uid = "u2"}));
  EXPECT_THAT(Changed(), ElementsAre("deleted echo", "resource 1"));
}

TEST_F(TellerTest, WhatKeepsReplicasFromBeingMadeIsTrouble) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  Changed();
  auto deployment = std::make_shared<ChildInfo>();
  deployment->failure = "pods are forbidden";
  view_.SetChild(key_, ChildKind::kDeployment, deployment);
  EXPECT_THAT(Changed(), ElementsAre("trouble pods are forbidden"));
  view_.SetRefusal(key_, "invalid");
  EXPECT_THAT(Changed(), ElementsAre("trouble invalid"));
}

TEST_F(TellerTest, ASilentSidecarIsNotReady) {
  view_.SetDeclared(key_, MakeDeclared("echo"));
  auto pod = MakePod("p1");
  pod->ready = true;
  view_.SetPod(key_, "p1", pod);
  EXPECT_THAT(Changed(), ElementsAre("resource 1", "replicas p1/1/1"));
  view_.SetSilent(key_, "uid-p1", true);
  EXPECT_THAT(Changed(), ElementsAre("replicas p1/1/0"));
}

}  // namespace
}  // namespace krypton::kube
