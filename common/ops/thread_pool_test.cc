#include "common/ops/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace krypton::ops {
namespace {

using namespace std::chrono_literals;

TEST(ThreadPoolTest, RunsAllJobsOnAtMostTheGivenThreads) {
  ThreadPool pool(3);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  for (int i = 0; i < 50; ++i) {
    pool.Enqueue([&] {
      const int now = ++running;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --running;
      ++done;
    });
  }
  pool.Shutdown();
  EXPECT_EQ(done, 50);
  EXPECT_LE(most, 3);
  EXPECT_EQ(pool.threads(), 0);
}

TEST(ThreadPoolTest, AJobThatBlocksDoesNotKeepOthersBack) {
  ThreadPool pool(2);
  std::promise<void> release;
  std::promise<void> other_ran;
  pool.Enqueue([&] { release.get_future().wait(); });
  pool.Enqueue([&] { other_ran.set_value(); });
  EXPECT_EQ(other_ran.get_future().wait_for(10s), std::future_status::ready);
  release.set_value();
}

TEST(ThreadPoolTest, IdleThreadsEnd) {
  ThreadPool pool(4, 1ms);
  std::promise<void> ran;
  pool.Enqueue([&] { ran.set_value(); });
  ran.get_future().wait();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (pool.threads() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(pool.threads(), 0);
  std::promise<void> again;
  pool.Enqueue([&] { again.set_value(); });
  EXPECT_EQ(again.get_future().wait_for(10s), std::future_status::ready);
}

}  // namespace
}  // namespace krypton::ops
