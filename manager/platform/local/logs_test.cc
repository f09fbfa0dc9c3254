// What replicas print, read while they print it, over rotations and ends.
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "manager/platform/local/log_stream.h"
#include "manager/platform/local/testing/machine.h"

namespace krypton::platform {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Machine;

constexpr char kEcho[] = "default/echo";

class LogTailTest : public ::testing::Test {
 protected:
  LogTailTest() {
    std::string pattern = ::testing::TempDir() + "/krypton-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~LogTailTest() override { RemoveFolder(folder_); }

  void Append(const std::string& text) {
    std::ofstream(folder_ + "/agent.log", std::ios::app | std::ios::binary) << text;
  }
  void Rotate() {
    ASSERT_EQ(rename((folder_ + "/agent.log").c_str(), (folder_ + "/agent.log.1").c_str()), 0);
  }

  std::string folder_;
};

TEST_F(LogTailTest, TheLastLines) {
  Append("1\n2\n3\n4\n");
  EXPECT_THAT(LogTail(folder_, 2).Read(1000), ElementsAre("3", "4"));
  EXPECT_THAT(LogTail(folder_, 0).Read(1000), IsEmpty());
  EXPECT_THAT(LogTail(folder_, 100).Read(1000), ElementsAre("1", "2", "3", "4"));
  // A line without its end is one of them, but not complete yet.
  Append("5");
  LogTail tail(folder_, 2);
  EXPECT_THAT(tail.Read(1000), ElementsAre("4"));
  Append("!\n");
  EXPECT_THAT(tail.Read(1000), ElementsAre("5!"));
}

TEST_F(LogTailTest, OverRotations) {
  Append("1\n2\n");
  Rotate();
  Append("3\n4\n");
  EXPECT_THAT(LogTail(folder_, 3).Read(1000), ElementsAre("2", "3", "4"));
  EXPECT_THAT(LogTail(folder_, 2).Read(1000), ElementsAre("3", "4"));
  LogTail tail(folder_, 1);
  EXPECT_THAT(tail.Read(1000), ElementsAre("4"));
  Append("5\n");
  Rotate();
  Append("6\n");
  EXPECT_TRUE(tail.Readable());
  EXPECT_THAT(tail.Read(1000), ElementsAre("5", "6"));
  EXPECT_FALSE(tail.Readable());
}

TEST_F(LogTailTest, WhatIsNotTextBecomesText) {
  Append(
      "a\xff"
      "b\r\n" +
      std::string(100'000, 'x') + "\n\n");
  LogTail tail(folder_, 10);
  const auto lines = tail.Read(1 << 20);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0],
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(lines[1].size() + lines[2].size(), 100'000u);
  EXPECT_EQ(lines[3], "");
}

TEST_F(LogTailTest, AFolderThatIsNotThereYet) {
  LogTail tail(folder_ + "/no", 10);
  EXPECT_FALSE(tail.Readable());
  EXPECT_THAT(tail.Read(1000), IsEmpty());
}

class LogsTest : public Machine {
 protected:
  v1::ResourceKey key_ = *resource::ParseKey(v1::RESOURCE_KIND_AGENT, kEcho);

  // Reads on, waiting where there is nothing, until `done` says that it is enough, or the end.
  static std::vector<std::string> Collect(
      LogStream& stream, const std::function<bool(const std::vector<std::string>&)>& done) {
    std::vector<std::string> all;
    std::mutex mutex;
    std::condition_variable condition;
    while (!done(all)) {
      const auto batch = stream.Read(1000);
      EXPECT_TRUE(batch.ok());
      if (!batch.ok() || batch->end) break;
      all.insert(all.end(), batch->lines.begin(), batch->lines.end());
      if (!batch->lines.empty()) continue;
      bool readable = false;
      stream.WhenReadable([&] {
        const std::lock_guard<std::mutex> lock(mutex);
        readable = true;
        condition.notify_one();
      });
      std::unique_lock<std::mutex> lock(mutex);
      if (!condition.wait_for(lock, std::chrono::seconds(20), [&] { return readable; })) {
        ADD_FAILURE() << "nothing to read; last line: " << (all.empty() ? "" : all.back());
        break;
      }
    }
    return all;
  }
};

TEST_F(LogsTest, FollowsOverRotationsToTheEnd) {
  settings_.replica_log_bytes = 1000;
  WriteManifest("a.yaml", Agent("echo",
                                "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; "
                                "sleep 0.001; done\n" +
                                    testing::Serve(),
                                "  startupTimeout: 10m\n"));
  StartPlatform();
  auto stream = platform_->ReadLogs(key_, {.follow = true, .tail_lines = 10, .instance = ""});
  ASSERT_TRUE(stream.ok());
  SetReplicas(kEcho, 1);
  const auto lines =
      Collect(**stream, [](const auto& all) { return !all.empty() && all.back() == "line 400"; });
  ASSERT_EQ(lines.size(), 400u);
  for (int i = 0; i < 400; ++i) EXPECT_EQ(lines[i], fmt::format("line {}", i + 1));
  // Past only.
  auto past = platform_->ReadLogs(key_, {.follow = false, .tail_lines = 2, .instance = ""});
  ASSERT_TRUE(past.ok());
  EXPECT_THAT(Collect(**past, [](const auto&) { return false; }),
              ElementsAre("line 399", "line 400"));
  // Removed: the follower is told that nothing will come.
  RemoveManifest("a.yaml");
  Collect(**stream, [](const auto&) { return false; });
}

TEST_F(LogsTest, AFailedReplicaSaysItsLastWords) {
  WriteManifest("a.yaml", Agent("echo", "printf 'out of luck'; exit 4"));
  StartPlatform();
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(Wait([&] { return !recorder_->replicas(kEcho, ReplicaPhase::kFailed).empty(); }));
  auto stream = platform_->ReadLogs(key_, {});
  ASSERT_TRUE(stream.ok());
  EXPECT_THAT(Collect(**stream, [](const auto&) { return false; }), Contains("out of luck"));
}

TEST_F(LogsTest, WhatTheOlderReplicaSaidComesFirst) {
  settings_.first_backoff = settings_.max_backoff = std::chrono::milliseconds(20);
  WriteManifest("a.yaml", Agent("echo", "echo >> runs; wc -l < runs; exit 1"));
  StartPlatform();
  SetReplicas(kEcho, 1);
  // Two replicas at a time, whose names are drawn by lot.
  for (int seen = 0; seen < 12;) {
    auto stream = platform_->ReadLogs(key_, {.follow = false, .tail_lines = 10, .instance = ""});
    ASSERT_TRUE(stream.ok());
    const auto lines = Collect(**stream, [](const auto&) { return false; });
    for (size_t i = 1; i < lines.size(); ++i) {
      ASSERT_LT(std::stoi(lines[i - 1]), std::stoi(lines[i]));
      ++seen;
    }
  }
}

TEST_F(LogsTest, OfOneReplicaTheStreamEndsWithThatReplica) {
  WriteManifest("a.yaml", Agent("echo", "echo hello\n" + testing::Serve()));
  StartPlatform();
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  const std::string instance = recorder_->replicas(kEcho)[0].instance;
  auto stream = platform_->ReadLogs(key_, {.follow = true, .tail_lines = 10, .instance = instance});
  ASSERT_TRUE(stream.ok());
  EXPECT_THAT(Collect(**stream, [](const auto& all) { return all.size() == 1; }),
              ElementsAre("hello"));
  SetReplicas(kEcho, 0);
  Collect(**stream, [](const auto&) { return false; });
}

TEST_F(LogsTest, WhoIsNotThereHasNoLog) {
  WriteManifest("a.yaml", Agent("echo", "exit 4"));
  StartPlatform();
  EXPECT_EQ(platform_->ReadLogs(key_, {.instance = "nobody"}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(
      platform_->ReadLogs(*resource::ParseKey(v1::RESOURCE_KIND_AGENT, "no"), {}).status().code(),
      absl::StatusCode::kNotFound);
}

TEST_F(LogsTest, AStreamMayEndWhileItWaits) {
  WriteManifest("a.yaml", Agent("echo", testing::Serve()));
  StartPlatform();
  SetReplicas(kEcho, 1);
  ASSERT_TRUE(WaitRunning(kEcho, 1));
  auto stream = platform_->ReadLogs(key_, {.follow = true, .tail_lines = 0, .instance = ""});
  ASSERT_TRUE(stream.ok());
  (*stream)->WhenReadable([] { ADD_FAILURE() << "after its end"; });
  stream->reset();
  Call(recorder_->replicas(kEcho)[0]);
}

}  // namespace
}  // namespace krypton::platform
