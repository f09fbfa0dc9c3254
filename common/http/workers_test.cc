#include "common/http/workers.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/http/event.h"
#include "common/http/testing.h"
#include "common/testing/wait_for.h"

namespace krypton::http {
namespace {

struct Note final : TimerNode {
  void OnTimer() override { ++fired; }
  int fired = 0;
};

class TimerWheelTest : public ::testing::Test {
 protected:
  TimePoint At(int ms) const { return start + milliseconds(ms); }
  const TimePoint start = Clock::now();
  TimerWheel wheel{start};
};

TEST_F(TimerWheelTest, FiresNeverEarlyAndAtMostTwoTicksLate) {
  for (const int delay : {1, 10, 15, 500, 2'559, 2'560, 5'000, 60'000, 3'600'000}) {
    TimerWheel own(start);
    Note note;
    own.Arm(note, At(delay));
    own.Advance(At(delay - 1));
    EXPECT_EQ(note.fired, 0) << delay;
    own.Advance(At(delay + 20));
    EXPECT_EQ(note.fired, 1) << delay;
  }
}

TEST_F(TimerWheelTest, MovingIsCheapAndExact) {
  Note note;
  wheel.Arm(note, At(50));
  for (int now = 0; now < 5'000; now += 10) {
    wheel.Advance(At(now));
    wheel.Arm(note, At(now + 50));
  }
  EXPECT_EQ(note.fired, 0);
  wheel.Advance(At(5'100));
  EXPECT_EQ(note.fired, 1);
  wheel.Arm(note, At(60'000));
  wheel.Arm(note, At(5'200));  // Earlier than before.
  wheel.Advance(At(5'220));
  EXPECT_EQ(note.fired, 2);
}

TEST_F(TimerWheelTest, DisarmedAndDestroyedNodesStaySilent) {
  Note note;
  wheel.Arm(note, At(50));
  wheel.Disarm(note);
  {
    Note gone;
    wheel.Arm(gone, At(50));
  }
  wheel.Advance(At(1'000));
  EXPECT_EQ(note.fired, 0);
  EXPECT_EQ(wheel.NextTick(), TimerWheel::kNoTick);
}

TEST_F(TimerWheelTest, NextTickIsWhenSomethingIsDue) {
  Note near;
  Note far;
  wheel.Arm(far, At(10'000));
  EXPECT_LE(wheel.TimeOf(wheel.NextTick()), At(10'010));
  wheel.Arm(near, At(100));
  EXPECT_LE(wheel.TimeOf(wheel.NextTick()), At(110));
  EXPECT_GE(wheel.TimeOf(wheel.NextTick()), At(100));
}

// --- Workers ---

TEST(WorkersTest, PostsFromManyThreadsAllRun) {
  Workers workers(2);
  workers.Start();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1'000; ++i) workers[t % 2].Post([&] { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(WaitFor([&] { return ran == 4'000; }));
}

Task<int> Answer(int value) { co_return value; }

Task<void> Deep(int depth, int& sum) {
  if (depth == 0) co_return;
  const int value = co_await Answer(1);
  sum += value;
  co_await Deep(depth - 1, sum);
}

Task<void> Loop(int& sum) {
  for (int i = 0; i < 200'000; ++i) {
    const int value = co_await Answer(1);  // Never waits: the stack must not grow.
    sum += value;
  }
}

Task<void> RunBoth(int& sum, std::atomic<bool>& done) {
  co_await Loop(sum);
  co_await Deep(1'000, sum);
  done = true;
}

TEST(WorkersTest, TasksThatNeverWaitDoNotGrowTheStack) {
  Workers workers(1);
  workers.Start();
  int sum = 0;
  std::atomic<bool> done{false};
  workers[0].Post([&] { workers[0].Spawn(RunBoth(sum, done)); });
  EXPECT_TRUE(WaitFor([&] { return done.load(); }));
  EXPECT_EQ(sum, 201'000);
}

Task<void> Throw() {
  throw std::runtime_error("expected");
  co_return;
}

Task<void> Catch(std::atomic<bool>& caught) {
  try {
    co_await Throw();
  } catch (const std::runtime_error&) {
    caught = true;
  }
}

TEST(WorkersTest, ExceptionsReachTheAwaiter) {
  Workers workers(1);
  workers.Start();
  std::atomic<bool> caught{false};
  workers[0].Post([&] { workers[0].Spawn(Catch(caught)); });
  EXPECT_TRUE(WaitFor([&] { return caught.load(); }));
}

Task<void> SleepFor(Worker& worker, milliseconds duration, std::atomic<int64_t>& took) {
  const TimePoint start = Clock::now();
  co_await worker.Sleep(duration);
  took = std::chrono::duration_cast<milliseconds>(Clock::now() - start).count();
}

TEST(WorkersTest, SleepLastsAtLeastAsLongAsAsked) {
  Workers workers(1);
  workers.Start();
  for (const int duration : {1, 5, 30, 60, 200}) {
    std::atomic<int64_t> took{-1};
    workers[0].Post([&] { workers[0].Spawn(SleepFor(workers[0], milliseconds(duration), took)); });
    ASSERT_TRUE(WaitFor([&] { return took >= 0; }));
    EXPECT_GE(took, duration);
  }
}

Task<void> WaitTwice(Event& event, std::atomic<int>& ends) {
  for (int i = 0; i < 2; ++i) {
    const WaitEnd end = co_await event.Wait();
    if (end == WaitEnd::kSet) ++ends;
  }
}

TEST(EventTest, EachSetEndsOneWait) {
  Workers workers(1);
  workers.Start();
  Event event(workers[0]);
  std::atomic<int> ends{0};
  workers[0].Post([&] { workers[0].Spawn(WaitTwice(event, ends)); });
  workers[0].Post([&] { event.Set(); });
  EXPECT_TRUE(WaitFor([&] { return ends == 1; }));
  workers[0].Post([&] { event.Set(); });
  EXPECT_TRUE(WaitFor([&] { return ends == 2; }));
}

}  // namespace
}  // namespace krypton::http
