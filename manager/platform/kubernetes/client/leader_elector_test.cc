#include "manager/platform/kubernetes/client/leader_elector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <mutex>
#include <thread>

#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/lease.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::StartsWith;

// The Lease, as an API server holds it: versions checked, writes counted.
class LeaseServer {
 public:
  FakeReply Answer(const FakeRequest& request) {
    const std::lock_guard lock(mutex_);
    if (broken_) return Refusal(500, "InternalError");
    if (request.method == "GET") return lease_.empty() ? Refusal(404, "NotFound") : Reply();
    boost::json::object sent = ParseJson(request.body)->get_object();
    if (request.method == "POST" && !lease_.empty()) return Refusal(409, "AlreadyExists");
    if (request.method == "PUT" &&
        MetadataAt(sent, "resourceVersion") != MetadataAt(lease_, "resourceVersion")) {
      return Refusal(409, "Conflict");
    }
    sent["metadata"].get_object()["resourceVersion"] = std::to_string(++version_);
    lease_ = sent;
    holders_.push_back(ReadLease(lease_).holder);
    return Reply();
  }
  LeaseRecord record() const {
    const std::lock_guard lock(mutex_);
    return ReadLease(lease_);
  }
  void Break(bool broken) {
    const std::lock_guard lock(mutex_);
    broken_ = broken;
  }
  void Delete() {
    const std::lock_guard lock(mutex_);
    lease_ = {};
  }
  size_t writes() const {
    const std::lock_guard lock(mutex_);
    return holders_.size();
  }

 private:
  FakeReply Reply() const { return {.body = boost::json::serialize(lease_)}; }

  mutable std::mutex mutex_;
  bool broken_ = false;
  int version_ = 0;
  boost::json::object lease_;
  std::vector<std::string> holders_;
};

// One process: an elector with a client of its own, and what it was told.
struct Candidate {
  Candidate(const Config& config, const std::string& name,
            std::function<std::chrono::nanoseconds()> clock = nullptr)
      : client(config, Settings(), metrics),
        elector(
            client,
            {.name_space = "krypton-system",
             .identity = name,
             .address = name + ":7070",
             .lease_duration = 1500ms,
             .renew_deadline = 1000ms,
             .retry_period = 50ms,
             .clock = std::move(clock)},
            {.started = [this](uint64_t term) { Hear("started " + std::to_string(term)); },
             .stopped = [this] { Hear("stopped"); },
             .leader_changed = [this](const Leader& leader) { Hear("leader " + leader.address); }},
            metrics) {}
  static ClientSettings Settings() {
    ClientSettings settings;
    settings.max_attempts = 1;
    settings.qps = settings.burst = 10'000;
    return settings;
  }
  void Hear(std::string what) {
    const std::lock_guard lock(mutex);
    heard.push_back(std::move(what));
  }
  std::vector<std::string> Heard() const {
    const std::lock_guard lock(mutex);
    return heard;
  }
  bool Hears(const std::string& what) const {
    return WaitFor([&] {
      const std::lock_guard lock(mutex);
      return std::find(heard.begin(), heard.end(), what) != heard.end();
    });
  }

  prometheus::Registry metrics;
  mutable std::mutex mutex;
  std::vector<std::string> heard;
  Client client;
  LeaderElector elector;
};

class LeaderElectorTest : public testing::Test {
 protected:
  LeaseServer lease_;
  FakeApiServer server_{[this](const FakeRequest& request) { return lease_.Answer(request); }};
};

TEST_F(LeaderElectorTest, TheFirstLeadsAndRenews) {
  Candidate one(server_.config(), "one");
  EXPECT_FALSE(one.elector.IsLeader());
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("leader one:7070"));
  EXPECT_THAT(one.Heard(), ElementsAre("started 1", "leader one:7070"));
  EXPECT_TRUE(one.elector.IsLeader());
  EXPECT_TRUE(one.elector.CheckLeader().ok());
  EXPECT_EQ(one.elector.term(), 1u);
  EXPECT_THAT(lease_.record().holder, StartsWith("one_"));
  EXPECT_EQ(lease_.record().address, "one:7070");
  const size_t writes = lease_.writes();
  ASSERT_TRUE(WaitFor([&] { return lease_.writes() > writes + 10; }));
  EXPECT_TRUE(one.elector.IsLeader());
  EXPECT_EQ(lease_.record().transitions, 1u);
}

TEST_F(LeaderElectorTest, AnOrderlyStopHandsOverAtOnce) {
  Candidate one(server_.config(), "one");
  Candidate two(server_.config(), "two");
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("started 1"));
  ASSERT_TRUE(two.elector.Start().ok());
  ASSERT_TRUE(two.Hears("leader one:7070"));
  EXPECT_FALSE(two.elector.IsLeader());
  const auto began = std::chrono::steady_clock::now();
  one.elector.Stop();
  EXPECT_FALSE(one.elector.IsLeader());
  ASSERT_TRUE(two.Hears("started 2"));
  // Not the lease's time, but the next look: a retry period and its jitter.
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1000ms);
  EXPECT_EQ(lease_.record().transitions, 2u);
  EXPECT_THAT(one.Heard(), ElementsAre("started 1", "leader one:7070", "stopped", "leader "));
}

TEST_F(LeaderElectorTest, ALeaderThatCannotRenewStopsBeforeAnotherBegins) {
  std::atomic<bool> cut = false;
  FakeApiServer severed([&](const FakeRequest& request) {
    return cut ? Refusal(503, "ServiceUnavailable") : lease_.Answer(request);
  });
  Candidate one(severed.config(), "one");
  Candidate two(server_.config(), "two");
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("started 1"));
  ASSERT_TRUE(two.elector.Start().ok());
  cut = true;
  while (one.elector.IsLeader()) {
    ASSERT_FALSE(two.elector.IsLeader());
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_FALSE(one.elector.CheckLeader().ok());
  EXPECT_FALSE(two.elector.IsLeader());
  ASSERT_TRUE(one.Hears("stopped"));
  ASSERT_TRUE(two.Hears("started 2"));
  cut = false;
  ASSERT_TRUE(one.Hears("leader two:7070"));
  EXPECT_FALSE(one.elector.IsLeader());
}

// A process that was stopped by SIGSTOP finds, before any thread of it has run, that time is over.
TEST_F(LeaderElectorTest, TheRightToWriteEndsByTheClockAlone) {
  std::atomic<int64_t> skipped = 0;
  const auto clock = [&] {
    return std::chrono::steady_clock::now().time_since_epoch() + std::chrono::nanoseconds(skipped);
  };
  Candidate one(server_.config(), "one", clock);
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("started 1"));
  ASSERT_TRUE(one.elector.IsLeader());
  skipped = std::chrono::nanoseconds(20s).count();
  EXPECT_FALSE(one.elector.IsLeader());
  EXPECT_FALSE(one.elector.CheckLeader().ok());
  // It begins anew, in a term of its own, although nobody else took the lease.
  ASSERT_TRUE(one.Hears("started 2"));
  EXPECT_THAT(one.Heard(), testing::IsSupersetOf({"started 1", "stopped", "started 2"}));
}

TEST_F(LeaderElectorTest, WhatALeaderWritesAfterLosingIsRefusedByItsGate) {
  FakeApiServer objects([](const FakeRequest&) { return FakeReply{.body = "{}"}; });
  Candidate one(server_.config(), "one");
  prometheus::Registry metrics;
  ClientSettings settings;
  settings.write_gate = [&] { return one.elector.CheckLeader(); };
  Client client(objects.config(), settings, metrics);
  EXPECT_FALSE(client.Create({"", "v1", "pods"}, "default", {}).ok());
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("started 1"));
  EXPECT_TRUE(client.Create({"", "v1", "pods"}, "default", {}).ok());
  lease_.Break(true);
  ASSERT_TRUE(one.Hears("stopped"));
  EXPECT_FALSE(client.Create({"", "v1", "pods"}, "default", {}).ok());
  EXPECT_EQ(objects.requests().size(), 1u);
}

TEST_F(LeaderElectorTest, ADeletedLeaseIsMadeAgainWithoutFallingBehindInTerm) {
  Candidate one(server_.config(), "one");
  Candidate two(server_.config(), "two");
  ASSERT_TRUE(one.elector.Start().ok());
  ASSERT_TRUE(one.Hears("started 1"));
  one.elector.Stop();
  ASSERT_TRUE(two.elector.Start().ok());
  ASSERT_TRUE(two.Hears("started 2"));
  lease_.Delete();
  ASSERT_TRUE(WaitFor([&] { return lease_.record().holder == two.elector.identity(); }));
  EXPECT_GE(lease_.record().transitions, 2u);
}

TEST_F(LeaderElectorTest, ManyCandidatesHaveAtMostOneLeader) {
  std::vector<std::unique_ptr<Candidate>> candidates;
  for (int i = 0; i < 4; ++i) {
    candidates.push_back(std::make_unique<Candidate>(server_.config(), std::to_string(i)));
    ASSERT_TRUE(candidates.back()->elector.Start().ok());
  }
  const auto leader = [&]() -> Candidate* {
    Candidate* found = nullptr;
    for (const auto& candidate : candidates) {
      if (candidate == nullptr || !candidate->elector.IsLeader()) continue;
      EXPECT_EQ(found, nullptr);
      found = candidate.get();
    }
    return found;
  };
  for (int left = 4; left > 0; --left) {
    Candidate* found = nullptr;
    ASSERT_TRUE(WaitFor([&] { return (found = leader()) != nullptr; }));
    for (auto& candidate : candidates) {
      if (candidate.get() == found) candidate.reset();
    }
  }
  EXPECT_GE(lease_.record().transitions, 4u);
}

TEST_F(LeaderElectorTest, TimesThatContradictAreRefused) {
  prometheus::Registry metrics;
  Client client(server_.config(), {}, metrics);
  const auto start = [&](auto change) {
    LeaseSettings settings = {.name_space = "a", .identity = "b", .address = {}};
    change(settings);
    LeaderElector elector(client, settings, {}, metrics);
    return elector.Start();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(start([](auto& s) { s.lease_duration = 10s; })));
  EXPECT_TRUE(absl::IsInvalidArgument(start([](auto& s) { s.renew_deadline = 2'400ms; })));
  EXPECT_TRUE(absl::IsInvalidArgument(start([](auto& s) { s.retry_period = 0s; })));
  EXPECT_TRUE(absl::IsInvalidArgument(start([](auto& s) { s.identity = ""; })));
}

}  // namespace
}  // namespace krypton::kube
