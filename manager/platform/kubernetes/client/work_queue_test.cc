#include "manager/platform/kubernetes/client/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "common/testing/wait_for.h"

namespace krypton::kube {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::Contains;

class WorkQueueTest : public testing::Test {
 protected:
  // The value of a series of this queue or controller.
  double Value(const std::string& name, const std::string& label = {}) {
    for (const auto& family : metrics_.Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        if (!label.empty() && metric.label.back().value != label) continue;
        return metric.counter.value + metric.gauge.value +
               static_cast<double>(metric.histogram.sample_count);
      }
    }
    return -1;
  }

  prometheus::Registry metrics_;
  WorkQueue queue_{{.name = "agents", .min_backoff = 5ms, .max_backoff = 80ms}, metrics_};
};

TEST_F(WorkQueueTest, AKeyIsThereOnce) {
  queue_.Add("a");
  queue_.Add("b");
  queue_.Add("a");
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.Get(), "a");
  EXPECT_EQ(queue_.Get(), "b");
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_EQ(Value("workqueue_adds_total"), 2);
}

TEST_F(WorkQueueTest, WhatIsAddedWhileItIsWorkedOnComesOnceMore) {
  queue_.Add("a");
  ASSERT_EQ(queue_.Get(), "a");
  queue_.Add("a");
  queue_.Add("a");
  EXPECT_EQ(queue_.size(), 0u);
  queue_.Done("a");
  EXPECT_EQ(queue_.size(), 1u);
  EXPECT_EQ(queue_.Get(), "a");
  queue_.Done("a");
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_EQ(Value("workqueue_work_duration_seconds"), 2);
}

TEST_F(WorkQueueTest, TheEarliestTimeCounts) {
  const auto began = Clock::now();
  queue_.AddAfter("a", 1h);
  queue_.AddAfter("a", 20ms);
  queue_.AddAfter("a", 10s);
  EXPECT_EQ(queue_.Get(), "a");
  EXPECT_GE(Clock::now() - began, 20ms);
  EXPECT_LT(Clock::now() - began, 5s);
}

TEST_F(WorkQueueTest, FailuresWaitLongerAndLongerUntilTheyAreForgotten) {
  for (int i = 0; i < 8; ++i) {
    const auto began = Clock::now();
    queue_.AddRateLimited("a");
    ASSERT_EQ(queue_.Get(), "a");
    EXPECT_GE(Clock::now() - began, std::min(5ms * (1 << i), 80ms)) << i;
    queue_.Done("a");
  }
  EXPECT_EQ(queue_.Failures("a"), 8);
  EXPECT_EQ(Value("workqueue_retries_total"), 8);
  queue_.Forget("a");
  EXPECT_EQ(queue_.Failures("a"), 0);
}

TEST_F(WorkQueueTest, AllRetriesTogetherAreBounded) {
  WorkQueue queue({.name = "few", .min_backoff = 1ms, .retries_per_second = 100, .retry_burst = 10},
                  metrics_);
  const auto began = Clock::now();
  for (int i = 0; i < 30; ++i) queue.AddRateLimited(std::to_string(i));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(queue.Get().has_value());
  EXPECT_GE(Clock::now() - began, 190ms);
}

TEST_F(WorkQueueTest, ShutDownLetsEverybodyGo) {
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([this] { EXPECT_EQ(queue_.Get(), std::nullopt); });
  }
  queue_.AddAfter("a", 1h);
  queue_.ShutDown();
  for (std::thread& worker : workers) worker.join();
  queue_.Add("b");
  EXPECT_EQ(queue_.Get(), std::nullopt);
}

// Random adds of all kinds from several threads, random failures: no key is ever with two workers,
// and each addition is followed by a look at the key.
TEST_F(WorkQueueTest, NoKeyIsWithTwoWorkersAndNoneIsForgotten) {
  constexpr int kKeys = 20;
  std::array<std::atomic<int>, kKeys> wanted = {};
  std::array<std::atomic<int>, kKeys> seen = {};
  std::array<std::atomic<bool>, kKeys> busy = {};
  std::atomic<bool> overlap = false;
  WorkQueue queue({.name = "random", .min_backoff = 1ms, .retries_per_second = 1e6}, metrics_);
  std::atomic<int> turns = 0;
  Workers workers(
      "random", 4, queue,
      [&](const std::string& text) -> ReconcileResult {
        const size_t key = std::stoul(text);
        if (busy[key].exchange(true)) overlap = true;
        const int version = wanted[key];
        std::this_thread::yield();
        busy[key] = false;
        if (++turns % 7 == 0) return {.status = absl::UnavailableError("again"), .again_after = {}};
        seen[key] = version;
        if (turns % 11 == 0) return {.status = {}, .again_after = 1ms};
        return {};
      },
      metrics_);
  workers.Start();
  std::vector<std::thread> adders;
  for (unsigned seed = 0; seed < 3; ++seed) {
    adders.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      for (int i = 0; i < 400; ++i) {
        const size_t key = random() % kKeys;
        ++wanted[key];
        if (random() % 3 == 0) {
          queue.AddAfter(std::to_string(key), std::chrono::microseconds(random() % 3000));
        } else {
          queue.Add(std::to_string(key));
        }
      }
    });
  }
  for (std::thread& adder : adders) adder.join();
  for (size_t key = 0; key < kKeys; ++key) {
    EXPECT_TRUE(WaitFor([&] { return seen[key] == wanted[key]; })) << key;
  }
  workers.Stop();
  EXPECT_FALSE(overlap);
}

TEST_F(WorkQueueTest, ManyKeysAtOnceDoNotStarveANewOne) {
  WorkQueue queue({.name = "many"}, metrics_);
  std::atomic<int64_t> done_at = 0;
  Workers workers(
      "many", 2, queue,
      [&](const std::string& key) -> ReconcileResult {
        if (key == "new") done_at = Clock::now().time_since_epoch().count();
        return {};
      },
      metrics_);
  for (int i = 0; i < 10'000; ++i) queue.Add("default/agent-" + std::to_string(i));
  workers.Start();
  const auto began = Clock::now();
  queue.Add("new");
  ASSERT_TRUE(WaitFor([&] { return done_at != 0; }));
  // Below a second on a machine that is not busy and without a sanitizer.
  EXPECT_LT(Clock::time_point(Clock::duration(done_at)) - began, 10s);
  workers.Stop();
}

TEST_F(WorkQueueTest, ResultsAreCountedAsTheFieldDoes) {
  std::atomic<int> calls = 0;
  Workers workers(
      "agent", 1, queue_,
      [&](const std::string&) -> ReconcileResult {
        switch (++calls) {
          case 1:
            return {.status = absl::InternalError("no"), .again_after = {}};
          case 2:
            return {.status = {}, .again_after = 1ms};
          default:
            return {};
        }
      },
      metrics_);
  EXPECT_EQ(Value("controller_runtime_reconcile_total", "error"), 0);
  workers.Start();
  queue_.Add("a");
  ASSERT_TRUE(WaitFor([&] { return Value("controller_runtime_reconcile_total", "success") == 1; }));
  workers.Stop();
  EXPECT_EQ(Value("controller_runtime_reconcile_total", "error"), 1);
  EXPECT_EQ(Value("controller_runtime_reconcile_total", "requeue_after"), 1);
  EXPECT_EQ(Value("controller_runtime_reconcile_errors_total"), 1);
  EXPECT_EQ(Value("controller_runtime_reconcile_time_seconds"), 3);
  EXPECT_EQ(Value("workqueue_depth", "agents"), 0);
}

TEST_F(WorkQueueTest, WorkThatHangsIsSeen) {
  queue_.Add("a");
  ASSERT_EQ(queue_.Get(), "a");
  EXPECT_TRUE(WaitFor([&] { return Value("workqueue_unfinished_work_seconds") > 0.4; }));
  EXPECT_GT(Value("workqueue_longest_running_processor_seconds"), 0.4);
  queue_.Done("a");
}

}  // namespace
}  // namespace krypton::kube
