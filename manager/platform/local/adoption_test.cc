// What the next manager finds, and what happens when none comes.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/process.h"
#include "manager/platform/local/replica_record.h"
#include "manager/platform/local/testing/machine.h"

namespace krypton::platform {
namespace {

using ::testing::HasSubstr;
using testing::Machine;
using testing::Serve;

constexpr char kEcho[] = "default/echo";

class AdoptionTest : public Machine {
 protected:
  void Run(size_t count) {
    WriteManifest("a.yaml", Agent("echo", Serve()));
    StartPlatform();
    SetReplicas(kEcho, static_cast<int>(count));
    ASSERT_TRUE(WaitRunning(kEcho, count));
  }

  std::set<std::string> Instances() {
    std::set<std::string> instances;
    for (const Replica& replica : recorder_->replicas(kEcho)) instances.insert(replica.instance);
    return instances;
  }
};

TEST_F(AdoptionTest, ReplicasGoOnUnderTheNextManager) {
  Run(2);
  const auto instances = Instances();
  const std::vector<int> processes = Processes();
  const std::string uid = recorder_->resource(kEcho)->metadata().uid();
  DropPlatform();
  StartPlatform();
  // Reported before it said that it is in sync, as they were.
  EXPECT_EQ(Instances(), instances);
  EXPECT_EQ(recorder_->replicas(kEcho, ReplicaPhase::kRunning).size(), 2u);
  EXPECT_EQ(recorder_->resource(kEcho)->metadata().uid(), uid);
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 1);
  SetReplicas(kEcho, 2);
  SetReplicas(kEcho, 3);
  ASSERT_TRUE(WaitRunning(kEcho, 3));
  for (const int pid : processes) EXPECT_TRUE(Alive(pid));
  SetReplicas(kEcho, 0);
  ASSERT_TRUE(WaitRunning(kEcho, 0));
}

TEST_F(AdoptionTest, WithoutAManagerTheyDrainAndLeaveNothing) {
  settings_.orphan_timeout = std::chrono::milliseconds(300);
  Run(2);
  DropPlatform();
  EXPECT_TRUE(Wait([&] { return Processes().empty(); }));
  EXPECT_TRUE(Wait([&] { return std::filesystem::is_empty(settings_.state_dir + "/replicas"); }));
}

TEST_F(AdoptionTest, AnEditMeanwhileRolls) {
  Run(1);
  const auto instances = Instances();
  DropPlatform();
  WriteManifest("a.yaml", Agent("echo", Serve(), "  concurrency: 3\n"));
  StartPlatform();
  EXPECT_EQ(Instances(), instances);
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 2);
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(Wait([&] {
    ConfirmStarting(kEcho);
    const auto replicas = recorder_->replicas(kEcho);
    return replicas.size() == 1 && replicas[0].generation == 2 &&
           replicas[0].phase == ReplicaPhase::kRunning;
  }));
}

TEST_F(AdoptionTest, AManagerWithAnotherAddressRollsToSidecarsThatKnowIt) {
  Run(1);
  const auto instances = Instances();
  DropPlatform();
  settings_.manager_address = "127.0.0.1:10";
  StartPlatform();
  EXPECT_EQ(Instances(), instances);
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(Wait([&] {
    ConfirmStarting(kEcho);
    const auto replicas = recorder_->replicas(kEcho);
    return replicas.size() == 1 && replicas[0].phase == ReplicaPhase::kRunning &&
           instances.count(replicas[0].instance) == 0;
  }));
  EXPECT_EQ(recorder_->replicas(kEcho)[0].generation, 1);
}

TEST_F(AdoptionTest, AManifestRemovedMeanwhileEndsThem) {
  Run(1);
  DropPlatform();
  RemoveManifest("a.yaml");
  StartPlatform();
  EXPECT_TRUE(Wait([&] { return recorder_->resource(kEcho) == nullptr && Processes().empty(); }));
}

TEST_F(AdoptionTest, AManifestBrokenMeanwhileLeavesTheLastGoodVersion) {
  Run(1);
  const auto instances = Instances();
  DropPlatform();
  WriteManifest("a.yaml", Agent("echo", Serve(), "  port: 0\n"));
  StartPlatform();
  EXPECT_EQ(Instances(), instances);
  ASSERT_TRUE(Wait([&] { return recorder_->problems().size() == 1; }));
  EXPECT_EQ(recorder_->problems()[0].field(), "spec.port");
  EXPECT_EQ(recorder_->resource(kEcho)->port(), 8080);
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  EXPECT_EQ(Instances(), instances);
}

TEST_F(AdoptionTest, WhatAMeshWithOtherFoldersDeclaredIsNotRemembered) {
  Run(1);
  DropPlatform();
  settings_.manifests = {folder_ + "/elsewhere"};
  std::filesystem::create_directory(folder_ + "/elsewhere");
  std::filesystem::copy(folder_ + "/manifests/a.yaml", folder_ + "/elsewhere/b.yaml");
  StartPlatform();
  EXPECT_TRUE(recorder_->problems().empty());
  EXPECT_NE(recorder_->resource(kEcho), nullptr);
}

TEST_F(AdoptionTest, WhatDiedMeanwhileIsClearedAway) {
  Run(1);
  const std::vector<int> processes = Processes();
  DropPlatform();
  for (const int pid : processes) kill(pid, SIGKILL);
  EXPECT_TRUE(Wait([&] { return Processes().empty(); }));
  StartPlatform();
  EXPECT_TRUE(recorder_->replicas(kEcho).empty());
  EXPECT_TRUE(std::filesystem::is_empty(settings_.state_dir + "/replicas"));
  SetReplicas(kEcho, 1);
  EXPECT_TRUE(WaitRunning(kEcho, 1));
}

TEST_F(AdoptionTest, ARecycledPidIsNobodysReplica) {
  Run(1);
  const std::string folder =
      settings_.state_dir + "/replicas/" + recorder_->replicas(kEcho)[0].instance;
  DropPlatform();
  // As if the supervisor had died and its pid were ours now.
  auto record = ReplicaRecordFromJson(*ReadFile(folder + "/replica.json", 1 << 16));
  ASSERT_TRUE(record.ok());
  record->supervisor.pid = getpid();
  ASSERT_TRUE(WriteFileAtomically(folder + "/replica.json", ToJson(*record)).ok());
  StartPlatform();
  EXPECT_TRUE(recorder_->replicas(kEcho).empty());
  EXPECT_TRUE(Wait([&] { return Processes().empty(); }));
}

TEST_F(AdoptionTest, OneStateFolderHasOneManager) {
  Run(1);
  const auto second = NewLocalPlatform(settings_);
  testing::Recorder recorder;
  const absl::Status status = second->Start(recorder);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is in use by another manager"));
}

TEST_F(AdoptionTest, AStateFolderThatCannotBeWrittenIsAnError) {
  settings_.state_dir = "/proc/krypton";
  const auto platform = NewLocalPlatform(settings_);
  testing::Recorder recorder;
  const absl::Status status = platform->Start(recorder);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("state folder /proc/krypton: making"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--state-dir"));
}

}  // namespace
}  // namespace krypton::platform
