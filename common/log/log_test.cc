#include "common/log/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace krypton::log {
namespace {

// Stderr as a pipe while it lives.
class StderrPipe {
 public:
  StderrPipe() {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    saved_ = dup(STDERR_FILENO);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~StderrPipe() {
    Restore();
    close(ends_[0]);
  }
  void Restore() {
    if (saved_ < 0) return;
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(ends_[1]);
    saved_ = -1;
  }
  // All that was written. Requires: no more than the pipe holds.
  std::string Read() {
    Restore();
    std::string text;
    char buffer[4096];
    while (const ssize_t n = read(ends_[0], buffer, sizeof buffer)) {
      if (n < 0) break;
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }
  int read_end() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
  int saved_ = -1;
};

size_t Lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(LogTest, JsonIsTheDefaultWhereNobodyReads) {
  StderrPipe pipe;
  ASSERT_TRUE(Init({.format = "auto", .level = "info", .component = "test"}).ok());
  Debug("not this");
  Info("replica started", {{"agent", "default/echo"}});
  Shutdown();
  const std::string text = pipe.Read();
  EXPECT_EQ(Lines(text), 1u) << text;
  EXPECT_NE(text.find(R"("level":"info","msg":"replica started","component":"test")"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"("caller":"common/log/log_test.cc:)"), std::string::npos) << text;
}

TEST(LogTest, LevelsCanChangeAtAnyTime) {
  StderrPipe pipe;
  ASSERT_TRUE(Init({.format = "text", .level = "error", .component = "test"}).ok());
  Warn("no");
  SetLevel(Level::kDebug);
  Debug("yes");
  Shutdown();
  SetLevel(Level::kInfo);
  const std::string text = pipe.Read();
  EXPECT_NE(text.find("DEBUG test: yes"), std::string::npos) << text;
  EXPECT_EQ(text.find("no\n"), std::string::npos) << text;
}

TEST(LogTest, UnknownSettingsAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Init({"xml", "info", ""})));
  EXPECT_TRUE(absl::IsInvalidArgument(Init({"text", "loud", ""})));
}

TEST(LogTest, LinesOfManyThreadsStayWhole) {
  StderrPipe pipe;
  ASSERT_TRUE(Init({.format = "json", .level = "info", .component = "test"}).ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int line = 0; line < 50; ++line) Info("line", {{"thread", i}, {"n", line}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  Shutdown();
  const std::string text = pipe.Read();
  EXPECT_EQ(Lines(text), 200u);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) {
    EXPECT_EQ(text[at - 1], '}');
  }
}

TEST(LogTest, ABlockedStderrStopsNobodyAndIsCounted) {
  StderrPipe pipe;
  ASSERT_TRUE(Init({.format = "json", .level = "info", .component = "test"}).ok());
  const uint64_t before = GetCounts().dropped;
  const std::string text(1000, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5000; ++i) Info("line", {{"text", text}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_GT(GetCounts().dropped, before);
  std::thread reader([&] {
    char buffer[65536];
    while (read(pipe.read_end(), buffer, sizeof buffer) > 0) {
    }
  });
  Shutdown();
  pipe.Restore();
  reader.join();
}

TEST(LogTest, ALimiterLetsOneThroughAnInterval) {
  Limiter limiter(std::chrono::hours(1));
  EXPECT_TRUE(limiter.Allow());
  EXPECT_FALSE(limiter.Allow());
}

}  // namespace
}  // namespace krypton::log
