// Logs of pods from an API server that the test plays: one that holds what is followed open.
#include "manager/platform/kubernetes/log_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <map>
#include <mutex>

#include "manager/platform/kubernetes/client/testing/fake_api_server.h"
#include "manager/platform/kubernetes/testing/things.h"

namespace krypton::kube {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string Stamped(int second, const std::string& text) {
  return "2026-11-24T10:00:0" + std::to_string(second) + ".000000000Z " + text + "\n";
}

class LogStreamTest : public testing::Test {
 protected:
  ~LogStreamTest() override {
    stream_.reset();
    client_.Shutdown();
  }

  FakeReply Answer(const FakeRequest& request) {
    std::lock_guard lock(mutex_);
    // ".../pods/a/log"
    const std::string path = request.path.substr(0, request.path.size() - 4);
    std::vector<FakeReply>& replies = replies_[path.substr(path.rfind('/') + 1)];
    if (replies.empty()) return Refusal(400, "BadRequest", "ContainerCreating");
    FakeReply reply = replies.front();
    if (replies.size() > 1) replies.erase(replies.begin());
    return reply;
  }
  // What the logs of `pod` are at each read; the last one stays.
  void Say(const std::string& pod, std::vector<FakeReply> replies) {
    std::lock_guard lock(mutex_);
    replies_[pod] = std::move(replies);
  }
  static FakeReply Text(const std::string& text, FakeReply::End end = FakeReply::End::kInOrder) {
    FakeReply reply;
    reply.pieces = {text};
    reply.end = end;
    return reply;
  }
  static FakeReply Held(const std::string& text) { return Text(text, FakeReply::End::kHold); }

  void Pods(const std::vector<std::string>& names, bool exists = true) {
    std::lock_guard lock(mutex_);
    sources_ = {exists, {}};
    for (const std::string& name : names) sources_.pods.push_back(MakePod(name));
  }
  void Open(const platform::LogOptions& options) {
    stream_ = OpenLogs(
        client_,
        [this] {
          std::lock_guard lock(mutex_);
          ++looks_;
          return sources_;
        },
        options, settings_);
  }

  // Reads on, as the manager's service does, until there are so many lines, or the end.
  bool Collect(size_t lines) {
    for (;;) {
      const auto batch = stream_->Read(1000);
      if (!batch.ok()) return false;
      for (const std::string& line : batch->lines) {
        lines_.push_back(batch->instance + ": " + line);
      }
      if (!batch->notice.empty()) notices_.push_back(batch->notice);
      if (lines_.size() >= lines || batch->end) return !batch->end;
      if (!batch->lines.empty() || !batch->notice.empty()) continue;
      std::atomic<bool> readable = false;
      stream_->WhenReadable([&] { readable = true; });
      if (!WaitFor([&] { return readable.load(); })) {
        ADD_FAILURE() << "nothing came after " << testing::PrintToString(lines_);
        return false;
      }
    }
  }
  std::vector<FakeRequest> Reads(const std::string& pod) const {
    std::vector<FakeRequest> reads;
    for (const FakeRequest& request : server_.requests()) {
      if (request.path.ends_with("/pods/" + pod + "/log")) reads.push_back(request);
    }
    return reads;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<FakeReply>> replies_;
  LogSources sources_;
  std::atomic<int> looks_ = 0;
  FakeApiServer server_{[this](const FakeRequest& request) { return Answer(request); }};
  prometheus::Registry metrics_;
  Client client_{server_.config(), {.qps = 1000, .burst = 1000, .max_attempts = 1}, metrics_};
  LogSettings settings_{.look_interval = 10ms, .min_pause = 10ms, .max_pause = 20ms};
  std::vector<std::string> lines_;
  std::vector<std::string> notices_;
  std::unique_ptr<platform::LogStream> stream_;
};

TEST_F(LogStreamTest, ThePastOfAllPodsAndThenTheEnd) {
  settings_.max_pods = 1;
  Say("a", {Text("1\n2\n")});
  Say("b", {Text("3\nno end")});
  Say("c", {});
  Pods({"a", "b", "c"});
  Open({.follow = false, .tail_lines = 7, .instance = ""});
  EXPECT_FALSE(Collect(100)) << "it ends";
  EXPECT_THAT(lines_, UnorderedElementsAre("uid-a: 1", "uid-a: 2", "uid-b: 3", "uid-b: no end"));
  EXPECT_THAT(notices_, IsEmpty()) << "one after the other, all were read";
  EXPECT_EQ(Reads("a").at(0).query.at("tailLines"), "7");
  EXPECT_FALSE(Reads("a").at(0).query.contains("timestamps"));
}

TEST_F(LogStreamTest, WhoFollowsASleepingAgentSeesItWake) {
  Say("a", {Refusal(400, "BadRequest", "ContainerCreating"), Held(Stamped(1, "hello"))});
  Pods({});
  Open({.follow = true, .tail_lines = 0, .instance = ""});
  ASSERT_TRUE(WaitFor([&] { return looks_ >= 2; }));
  EXPECT_FALSE(stream_->Read(1000)->end);
  Pods({"a"});
  EXPECT_TRUE(Collect(1));
  EXPECT_THAT(lines_, ElementsAre("uid-a: hello"));
  for (const FakeRequest& read : Reads("a")) EXPECT_FALSE(read.query.contains("tailLines"));
  // It sleeps, and wakes as another pod.
  Say("b", {Held(Stamped(2, "again"))});
  Pods({"b"});
  EXPECT_TRUE(Collect(2));
  EXPECT_THAT(lines_, Contains("uid-b: again"));
}

TEST_F(LogStreamTest, AfterABreakAndInTheNextContainerItGoesOnBehindTheLastLine) {
  const std::string past = Stamped(1, "one") + Stamped(2, "two");
  Say("a", {Text(past, FakeReply::End::kCut), Text(past + Stamped(3, "three")),
            Held(Stamped(3, "three") + Stamped(4, "four"))});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  EXPECT_TRUE(Collect(4));
  EXPECT_THAT(lines_, ElementsAre("uid-a: one", "uid-a: two", "uid-a: three", "uid-a: four"));
  EXPECT_EQ(Reads("a").at(0).query.at("tailLines"), "10");
  EXPECT_EQ(Reads("a").at(1).query.at("sinceTime"), "2026-11-24T10:00:02Z");
  EXPECT_FALSE(Reads("a").at(1).query.contains("tailLines"));
}

TEST_F(LogStreamTest, WhatWasGoneMeanwhileIsNotSkippedWhereOnlyNewLinesAreWanted) {
  Say("a", {Refusal(500, "InternalError"), Held(Stamped(1, "one"))});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 0, .instance = ""});
  EXPECT_TRUE(Collect(1));
  EXPECT_EQ(Reads("a").at(0).query.at("tailLines"), "0");
  EXPECT_FALSE(Reads("a").at(1).query.contains("tailLines"));
  EXPECT_TRUE(Reads("a").at(1).query.contains("sinceTime"));
}

TEST_F(LogStreamTest, ItEndsWhenTheResourceIsGoneAndItsPodsAre) {
  Say("a", {Text(Stamped(1, "one"))});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  EXPECT_TRUE(Collect(1));
  Say("a", {Text(Stamped(1, "one") + Stamped(2, "goodbye"))});
  Pods({"a"}, /*exists=*/false);
  EXPECT_TRUE(Collect(2)) << "it drains";
  Pods({}, /*exists=*/false);
  EXPECT_FALSE(Collect(100));
  EXPECT_THAT(lines_, ElementsAre("uid-a: one", "uid-a: goodbye"));
}

TEST_F(LogStreamTest, APodThatIsGoneIsNotReadForEver) {
  Say("a", {Held(Stamped(1, "one"))});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  EXPECT_TRUE(Collect(1));
  Pods({}, /*exists=*/false);
  EXPECT_FALSE(Collect(100)) << "its node says nothing any more";
}

TEST_F(LogStreamTest, OfOneReplicaItEndsWithThatReplica) {
  Say("a", {Text(Stamped(1, "one"))});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 10, .instance = "uid-a"});
  EXPECT_TRUE(Collect(1));
  Pods({});
  EXPECT_FALSE(Collect(100));
}

TEST_F(LogStreamTest, WhatTheLimitCutsIsSaidAndFollowedWhenThereIsRoom) {
  settings_.max_pods = 2;
  for (const char* pod : {"a", "b", "c"}) Say(pod, {Held(Stamped(1, std::string("of ") + pod))});
  Pods({"a", "b", "c"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  EXPECT_TRUE(Collect(2));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("there are 3 replicas, and the logs of 2")));
  EXPECT_THAT(Reads("c"), IsEmpty());
  Say("a", {Text("")});
  server_.Release();
  Pods({"b", "c"});
  EXPECT_TRUE(Collect(3));
  EXPECT_THAT(lines_, Contains("uid-c: of c"));
  EXPECT_EQ(notices_.size(), 1u);
}

TEST_F(LogStreamTest, MuchIsReadWholeThoughItGoesThroughASmallBuffer) {
  std::string much;
  for (int i = 0; i < 20'000; ++i) much += Stamped(i % 10, std::string(100, 'x'));
  Say("a", {Held(much)});
  Pods({"a"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  EXPECT_TRUE(Collect(20'000));
  EXPECT_EQ(lines_.size(), 20'000u);
}

TEST_F(LogStreamTest, ItMayEndAtAnyMoment) {
  Say("a", {Held(Stamped(1, std::string(600'000, 'x')))});
  Say("c", {Held("")});
  Pods({"a", "b", "c"});
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  ASSERT_TRUE(WaitFor([&] { return !Reads("a").empty() && !Reads("c").empty(); }));
  stream_.reset();
  Open({.follow = true, .tail_lines = 10, .instance = ""});
  stream_.reset();
}

}  // namespace
}  // namespace krypton::kube
