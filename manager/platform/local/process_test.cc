#include "manager/platform/local/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manager/platform/local/replica_record.h"

namespace krypton::platform {
namespace {

// A child that waits to be ended, with one variable in its environment.
pid_t StartChild(const char* variable) {
  int started[2];
  EXPECT_EQ(pipe2(started, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const char* const argv[] = {"sleep", "1000", nullptr};
    const char* const environment[] = {variable, nullptr};
    execve("/bin/sleep", const_cast<char**>(argv), const_cast<char**>(environment));
    _exit(1);
  }
  close(started[1]);
  // Closed by its exec.
  char byte;
  EXPECT_EQ(read(started[0], &byte, 1), 0);
  close(started[0]);
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

TEST(ProcessTest, APidfdReachesThatProcessOnly) {
  const pid_t pid = StartChild("A=1");
  const ProcessId id{pid, StartTicks(pid)};
  EXPECT_GT(id.start_ticks, 0u);
  // The same number with another start is another process.
  EXPECT_EQ(OpenProcess({pid, id.start_ticks + 1}).status().code(), absl::StatusCode::kNotFound);
  const auto pidfd = OpenProcess(id);
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  SignalProcess(*pidfd, SIGKILL);
  EXPECT_EQ(WTERMSIG(WaitFor(pid)), SIGKILL);
  EXPECT_EQ(StartTicks(pid), 0u);
  EXPECT_FALSE(OpenProcess(id).ok());
}

TEST(ProcessTest, InstancesAreFoundByTheirEnvironment) {
  const std::string mine = "test" + std::to_string(getpid());
  const pid_t marked = StartChild(("KRYPTON_INSTANCE=" + mine).c_str());
  const pid_t longer = StartChild(("KRYPTON_INSTANCE=" + mine + "0").c_str());
  EXPECT_EQ(KillByInstance({mine, "nobody"}), 1);
  EXPECT_EQ(WTERMSIG(WaitFor(marked)), SIGKILL);
  EXPECT_EQ(waitpid(longer, nullptr, WNOHANG), 0);
  EXPECT_EQ(KillByInstance({mine + "0"}), 1);
  WaitFor(longer);
  EXPECT_EQ(KillByInstance({mine}), 0);
}

TEST(ReplicaRecordTest, ReadsBackWhatWasWritten) {
  ReplicaRecord record;
  record.instance = "abc";
  record.key.set_kind(v1::RESOURCE_KIND_MODEL);
  record.key.set_namespace_("a");
  record.key.set_name("b");
  record.uid = "u";
  record.generation = 7;
  record.process_template = "t";
  record.agent_port = 20000;
  record.start_time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1234567));
  record.restarts = 3;
  record.grace = std::chrono::milliseconds(1500);
  record.supervisor = {42, 1ull << 40};
  const auto read = ReplicaRecordFromJson(ToJson(record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), ToJson(record));
  EXPECT_EQ(read->supervisor, record.supervisor);
  EXPECT_EQ(read->key.kind(), v1::RESOURCE_KIND_MODEL);
}

TEST(ReplicaRecordTest, RefusesWhatIsNoRecord) {
  for (const char* text : {"", "{", "[]", "{}", "{\"instance\":5}", "\"x\"", "null"}) {
    EXPECT_FALSE(ReplicaRecordFromJson(text).ok()) << text;
  }
}

}  // namespace
}  // namespace krypton::platform
