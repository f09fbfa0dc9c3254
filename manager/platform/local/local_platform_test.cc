// The platform with real supervisors, sidecars and agents.
#include "manager/platform/local/local_platform.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>

#include "gmock/gmock.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/testing/machine.h"

namespace krypton::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using testing::Machine;
using ::testing::Not;
using testing::Serve;

constexpr char kEcho[] = "default/echo";

class LocalPlatformTest : public Machine {
 protected:
  // One replica of `command` that runs.
  Replica RunOne(const std::string& command, const std::string& spec = "") {
    WriteManifest("a.yaml", Agent("echo", command, spec));
    StartPlatform();
    SetReplicas(kEcho, 1);
    EXPECT_TRUE(WaitRunning(kEcho, 1));
    const auto running = recorder_->replicas(kEcho, ReplicaPhase::kRunning);
    return running.empty() ? Replica() : running[0];
  }

  bool WaitFailed(const std::string& message) {
    return Wait([&] {
      for (const Replica& replica : recorder_->replicas(kEcho, ReplicaPhase::kFailed)) {
        if (replica.message.find(message) != std::string::npos) return true;
      }
      return false;
    });
  }

  bool NothingIsLeft() {
    return Wait([&] {
      return Processes().empty() && std::filesystem::is_empty(settings_.state_dir + "/replicas");
    });
  }
};

// All its threads have seen SIGSTOP.
bool IsStopped(int pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const std::string& task : ListFolder(tasks).value_or(std::vector<std::string>())) {
    const std::string stat = testing::ReadAll(tasks + "/" + task + "/stat");
    if (stat.substr(stat.rfind(')') + 1, 2) != " T") return false;
  }
  return true;
}

TEST_F(LocalPlatformTest, RunsAnAgentFromAManifest) {
  WriteManifest("a.yaml", Agent("echo", Serve()));
  StartPlatform();
  ASSERT_NE(recorder_->resource(kEcho), nullptr);
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 1);
  EXPECT_TRUE(recorder_->replicas(kEcho).empty());
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  const Replica replica = recorder_->replicas(kEcho)[0];
  EXPECT_EQ(replica.address, "127.0.0.1");
  EXPECT_EQ(replica.generation, 1);
  EXPECT_THAT(Call(replica), HasSubstr(replica.ref));
  SetReplicas(kEcho, 0);
  ASSERT_TRUE(WaitRunning(kEcho, 0));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(LocalPlatformTest, ScalesUpAndDown) {
  WriteManifest("a.yaml", Agent("echo", Serve()));
  StartPlatform();
  SetReplicas(kEcho, 3);
  ASSERT_TRUE(WaitRunning(kEcho, 3));
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  // The same again changes nothing.
  const std::string instance = recorder_->replicas(kEcho)[0].instance;
  SetReplicas(kEcho, 1);
  SetReplicas("default/nobody", 5);
  SetReplicas(kEcho, 2);
  ASSERT_TRUE(WaitRunning(kEcho, 2));
  EXPECT_EQ(recorder_->replicas(kEcho)[0].instance, instance);
}

TEST_F(LocalPlatformTest, TheAgentsEnvironmentIsItsOwn) {
  setenv("KRYPTON_TEST_SECRET", "of-the-manager", 1);
  RunOne(
      "cat /proc/self/status > status; env > environment; ls -l /proc/self/fd > fds; pwd > "
      "where\n" +
          Serve(),
      "  env: [{name: GREETING, value: 'a \"b\"'}, {name: HOME, value: /elsewhere}]\n");
  const auto read = [&](const std::string& file) {
    return testing::ReadAll(folder_ + "/manifests/" + file);
  };
  const std::string environment = read("environment");
  EXPECT_THAT(environment, HasSubstr("GREETING=a \"b\"\n"));
  EXPECT_THAT(environment, HasSubstr("HOME=/elsewhere\n"));
  EXPECT_THAT(environment, HasSubstr("PATH="));
  EXPECT_THAT(environment, HasSubstr("PORT="));
  EXPECT_THAT(environment,
              HasSubstr("KRYPTON_PUBLIC_URL=http://127.0.0.1:8080/v1/agents/default/echo\n"));
  EXPECT_THAT(environment, Not(HasSubstr("TOKEN")));
  EXPECT_THAT(environment, Not(HasSubstr("of-the-manager")));
  EXPECT_THAT(read("where"), HasSubstr(folder_ + "/manifests"));
  EXPECT_THAT(read("status"), HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(read("status"), HasSubstr("SigIgn:\t0000000000000000"));
  // 0, 1, 2, the file that `ls` writes is 1, and the folder that it reads is 3.
  EXPECT_THAT(read("fds"), Not(HasSubstr("socket:")));
  EXPECT_THAT(read("fds"), Not(HasSubstr(" 4 ->")));
}

TEST_F(LocalPlatformTest, AnEditRollsNewFirst) {
  const Replica old = RunOne(Serve(), "  env: [{name: VERSION, value: one}]\n");
  EXPECT_THAT(Call(old), HasSubstr("one"));
  std::atomic<bool> gap = false;
  recorder_->SetHook([&](const v1::ResourceKey&, const std::vector<Replica>& replicas) {
    gap = gap || std::none_of(replicas.begin(), replicas.end(), [](const Replica& replica) {
            return replica.phase == ReplicaPhase::kRunning;
          });
  });
  WriteManifest("a.yaml", Agent("echo", Serve(), "  env: [{name: VERSION, value: two}]\n"));
  ASSERT_TRUE(Wait([&] {
    ConfirmStarting(kEcho);
    const auto replicas = recorder_->replicas(kEcho);
    return replicas.size() == 1 && replicas[0].generation == 2 &&
           replicas[0].phase == ReplicaPhase::kRunning;
  }));
  EXPECT_FALSE(gap);
  EXPECT_THAT(Call(recorder_->replicas(kEcho)[0]), HasSubstr("two"));
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 2);
  recorder_->SetHook(nullptr);
}

TEST_F(LocalPlatformTest, AnEditThatProcessesWouldNotNoticeDoesNotRoll) {
  const Replica old = RunOne(Serve());
  WriteManifest("a.yaml", Agent("echo", Serve(), "  maxReplicas: 3\n  scaleToZeroAfter: 5s\n"));
  ASSERT_TRUE(Wait([&] {
    const auto replicas = recorder_->replicas(kEcho);
    return recorder_->resource(kEcho)->generation() == 2 && replicas.size() == 1 &&
           replicas[0].generation == 2;
  }));
  EXPECT_EQ(recorder_->replicas(kEcho)[0].instance, old.instance);
  EXPECT_EQ(recorder_->instances().size(), 1u);
}

TEST_F(LocalPlatformTest, AnEditThatFailsLeavesTheOldOneServing) {
  const Replica old = RunOne(Serve());
  WriteManifest("a.yaml", Agent("echo", "echo out of luck >&2; exit 3"));
  ASSERT_TRUE(WaitFailed("the agent exited with status 3, is started again after"));
  // Its sidecar, which has nothing to say, has ended too before the next try.
  ASSERT_TRUE(Wait([&] {
    const auto next = recorder_->replicas(kEcho, ReplicaPhase::kStarting);
    return !next.empty() && next[0].message ==
                                "is tried again; before it, the agent exited with status 3; its "
                                "last line: out of luck";
  }));
  EXPECT_EQ(recorder_->replicas(kEcho, ReplicaPhase::kRunning).at(0).instance, old.instance);
  EXPECT_THAT(Call(old), HasSubstr(old.ref));
  // The repair rolls.
  WriteManifest("a.yaml", Agent("echo", Serve(), "  env: [{name: VERSION, value: three}]\n"));
  ASSERT_TRUE(Wait([&] {
    ConfirmStarting(kEcho);
    const auto replicas = recorder_->replicas(kEcho);
    return replicas.size() == 1 && replicas[0].generation == 3 &&
           replicas[0].phase == ReplicaPhase::kRunning;
  }));
}

TEST_F(LocalPlatformTest, AnAgentThatDiesIsStartedAgain) {
  const Replica first = RunOne(Serve());
  ASSERT_EQ(kill(std::stoi(first.ref), SIGKILL), 0);
  ASSERT_TRUE(WaitFailed("the agent was ended by signal 9 (SIGKILL)"));
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  const Replica second = recorder_->replicas(kEcho)[0];
  EXPECT_NE(second.instance, first.instance);
  EXPECT_EQ(second.restarts, 1);
  EXPECT_EQ(second.message, "");
}

TEST_F(LocalPlatformTest, BackoffGrowsWithEachFailure) {
  settings_.first_backoff = milliseconds(100);
  WriteManifest("a.yaml", Agent("echo", "date +%s%N >> starts; exit 1"));
  StartPlatform();
  SetReplicas(kEcho, 1);
  std::vector<int64_t> starts;
  ASSERT_TRUE(Wait([&] {
    starts.clear();
    std::ifstream file(folder_ + "/manifests/starts");
    for (int64_t at; file >> at;) starts.push_back(at / 1'000'000);
    return starts.size() >= 4;
  }));
  EXPECT_GE(starts[1] - starts[0], 100);
  EXPECT_GE(starts[2] - starts[1], 200);
  EXPECT_GE(starts[3] - starts[2], 400);
}

TEST_F(LocalPlatformTest, WhatNeverBecomesReadyIsReplaced) {
  WriteManifest("a.yaml", Agent("echo", "sleep 1000", "  startupTimeout: 300ms\n"));
  StartPlatform();
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitFailed("did not become ready within 300ms: nothing listens on its $PORT"));
  ASSERT_TRUE(Wait([&] {
    const auto replicas = recorder_->replicas(kEcho);
    return replicas.size() == 1 && replicas[0].restarts >= 1 &&
           replicas[0].phase == ReplicaPhase::kStarting &&
           replicas[0].message.starts_with("is tried again; before it, did not become ready");
  }));
}

TEST_F(LocalPlatformTest, AProgramThatCannotBeStartedSaysSo) {
  WriteManifest("a.yaml", Agent("echo", "exec /nonexistent/program"));
  StartPlatform();
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitFailed("the agent exited with status 127"));
}

TEST_F(LocalPlatformTest, KillingASupervisorEndsItsProcesses) {
  settings_.first_backoff = std::chrono::seconds(3);
  const Replica first = RunOne(Serve());
  std::vector<int> before = Processes();
  ASSERT_EQ(before.size(), 3u);
  // The supervisor is the parent of the agent.
  std::ifstream status("/proc/" + first.ref + "/status");
  std::string line;
  int supervisor = 0;
  while (std::getline(status, line)) {
    if (line.starts_with("PPid:")) supervisor = std::stoi(line.substr(5));
  }
  ASSERT_GT(supervisor, 1);
  ASSERT_EQ(kill(supervisor, SIGKILL), 0);
  ASSERT_TRUE(Wait([&] { return !Alive(before[0]) && !Alive(before[1]) && !Alive(before[2]); }));
  ASSERT_TRUE(WaitFailed("its supervisor was ended"));
  ASSERT_TRUE(WaitRunning(kEcho, 1));
}

TEST_F(LocalPlatformTest, WhatOutlivesASupervisorIsFoundByItsEnvironment) {
  settings_.first_backoff = std::chrono::seconds(3);
  // The shell stays the agent's parent: it dies with the supervisor, the agent does not.
  std::string command = Serve();
  command.replace(command.find("exec "), 5, "");
  RunOne("setsid sleep 1237 &\n" + command + "\nexit");
  const std::vector<int> before = Processes();
  EXPECT_EQ(before.size(), 5u);
  // The supervisor, started first, has the lowest pid.
  ASSERT_EQ(kill(*std::min_element(before.begin(), before.end()), SIGKILL), 0);
  ASSERT_TRUE(WaitFailed("its supervisor was ended"));
  for (const int pid : before) EXPECT_TRUE(Wait([&] { return !Alive(pid); }));
}

TEST_F(LocalPlatformTest, NoDescendantOutlivesItsReplica) {
  RunOne("setsid sleep 1234 & (setsid env -i /bin/sleep 1235 &) ; nohup sleep 1236 &\n" + Serve());
  SetReplicas(kEcho, 0);
  ASSERT_TRUE(WaitRunning(kEcho, 0));
  EXPECT_TRUE(NothingIsLeft());
  const auto names = ListFolder("/proc");
  for (const std::string& name : *names) {
    EXPECT_NE(testing::ReadAll("/proc/" + name + "/cmdline"),
              std::string("/bin/sleep\0001235\0", 16));
  }
}

TEST_F(LocalPlatformTest, DrainingWaitsForRequestsInFlight) {
  const Replica replica = RunOne(Serve());
  std::promise<void> draining;
  recorder_->SetHook(
      [&, said = false](const v1::ResourceKey&, const std::vector<Replica>& replicas) mutable {
        if (said || replicas.empty() || replicas[0].phase != ReplicaPhase::kDraining) return;
        said = true;
        draining.set_value();
      });
  auto answer = std::async(std::launch::async, [&] { return Call(replica, "/slow"); });
  ASSERT_TRUE(Wait([&] { return LogOf(replica).find("begin") != std::string::npos; }));
  SetReplicas(kEcho, 0);
  draining.get_future().wait();
  EXPECT_THAT(answer.get(), HasSubstr(replica.ref));
  ASSERT_TRUE(WaitRunning(kEcho, 0));
  recorder_->SetHook(nullptr);
}

TEST_F(LocalPlatformTest, DrainingEndsWithTheGrace) {
  settings_.max_drain = milliseconds(200);
  const Replica replica =
      RunOne(Serve("signal = __import__(\"signal\"); signal.signal(15, signal.SIG_IGN)"));
  settings_.stop_timeout = milliseconds(200);
  auto answer = std::async(std::launch::async, [&] { return Call(replica, "/slow"); });
  ASSERT_TRUE(Wait([&] { return LogOf(replica).find("begin") != std::string::npos; }));
  SetReplicas(kEcho, 0);
  ASSERT_TRUE(WaitRunning(kEcho, 0));
  EXPECT_TRUE(NothingIsLeft());
  answer.get();
}

TEST_F(LocalPlatformTest, RemovingTheManifestRemovesEverything) {
  RunOne(Serve());
  RemoveManifest("a.yaml");
  ASSERT_TRUE(Wait(
      [&] { return recorder_->resource(kEcho) == nullptr && recorder_->replicas(kEcho).empty(); }));
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_TRUE(std::filesystem::is_empty(settings_.state_dir + "/resources"));
  // Made again it is another one.
  WriteManifest("a.yaml", Agent("echo", Serve()));
  ASSERT_TRUE(Wait([&] { return recorder_->resource(kEcho) != nullptr; }));
  EXPECT_EQ(recorder_->resource(kEcho)->generation(), 1);
}

TEST_F(LocalPlatformTest, ASidecarThatDoesNotAnswerIsNoticed) {
  settings_.max_drain = std::chrono::seconds(1);
  const Replica replica = RunOne(Serve(), "  startupTimeout: 5s\n");
  int sidecar = 0;
  for (const int pid : Processes()) {
    const std::string command = testing::ReadAll("/proc/" + std::to_string(pid) + "/cmdline");
    if (command.find("--agent-address") != std::string::npos) sidecar = pid;
  }
  ASSERT_GT(sidecar, 0);
  ASSERT_EQ(kill(sidecar, SIGSTOP), 0);
  // On a busy machine its threads go on for a while, and answer.
  ASSERT_TRUE(Wait([&] { return IsStopped(sidecar); }));
  platform_->ConfirmReplica(*resource::ParseKey(v1::RESOURCE_KIND_AGENT, "echo"), replica.instance);
  ASSERT_TRUE(Wait([&] {
    const auto starting = recorder_->replicas(kEcho, ReplicaPhase::kStarting);
    return starting.size() == 1 && starting[0].message == "its sidecar does not answer";
  }));
  // It is given the time of a start, then replaced.
  ASSERT_TRUE(WaitFailed("did not become ready within 5s: its sidecar does not answer"));
  ASSERT_TRUE(WaitRunning(kEcho, 1));
}

TEST_F(LocalPlatformTest, StopEndsAllInOrder) {
  RunOne(Serve());
  StopPlatform();
  EXPECT_TRUE(recorder_->replicas(kEcho).empty());
  EXPECT_TRUE(Processes().empty());
  // The identity is kept for the next time.
  EXPECT_FALSE(std::filesystem::is_empty(settings_.state_dir + "/resources"));
}

TEST_F(LocalPlatformTest, AbortEndsAStopThatWaits) {
  const Replica replica = RunOne(Serve());
  auto answer = std::async(std::launch::async, [&] { return Call(replica, "/slow/30"); });
  ASSERT_TRUE(Wait([&] { return LogOf(replica).find("begin") != std::string::npos; }));
  auto stopped = std::async(std::launch::async, [&] { platform_->Stop(); });
  ASSERT_TRUE(
      Wait([&] { return recorder_->replicas(kEcho, ReplicaPhase::kDraining).size() == 1; }));
  const auto begin = steady_clock::now();
  platform_->Abort();
  stopped.get();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  answer.get();
}

TEST_F(LocalPlatformTest, AStateFolderThatIsRemovedIsMadeAgain) {
  RunOne(Serve());
  const std::string uid = recorder_->resource(kEcho)->metadata().uid();
  std::filesystem::remove_all(settings_.state_dir);
  SetReplicas(kEcho, 2);
  ASSERT_TRUE(WaitRunning(kEcho, 2));
  WriteManifest("b.yaml", Agent("other", "run"));
  ASSERT_TRUE(Wait([&] { return recorder_->resource("default/other") != nullptr; }));
  StopPlatform();
  DropPlatform();
  // Also the identity that was in it.
  StartPlatform();
  EXPECT_EQ(recorder_->resource(kEcho)->metadata().uid(), uid);
}

}  // namespace
}  // namespace krypton::platform
