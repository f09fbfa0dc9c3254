#include "proxy/limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace krypton::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Slot = Limiter::Slot;

void Ignore() {}

class LimiterTest : public testing::Test {
 protected:
  Limiter Make(int concurrency, int max_streams = 4) {
    return Limiter({.concurrency = concurrency, .max_streams = max_streams},
                   [this] { return now_; });
  }

  std::chrono::steady_clock::time_point now_;
};

TEST_F(LimiterTest, GivesOutConcurrencySlotsAndNoMore) {
  Limiter limiter = Make(2);
  Slot one = limiter.TryAcquire().first;
  Slot two = limiter.TryAcquire().first;
  EXPECT_TRUE(one && two);
  auto [none, refusal] = limiter.TryAcquire();
  EXPECT_FALSE(none);
  EXPECT_EQ(refusal, Refusal::kOverCapacity);
  EXPECT_EQ(limiter.load().in_flight, 2);
  one.Release();
  EXPECT_TRUE(limiter.TryAcquire().first);
}

TEST_F(LimiterTest, ParkedRequestsGetSlotsInTheirOrder) {
  Limiter limiter = Make(2);
  Slot one = limiter.TryAcquire().first;
  Slot two = limiter.TryAcquire().first;
  std::vector<int> woken;
  auto first = limiter.Park([&] { woken.push_back(1); });
  auto second = limiter.Park([&] { woken.push_back(2); });
  EXPECT_EQ(limiter.Park(Ignore), nullptr) << "more parked than slots";
  EXPECT_FALSE(first->Take());
  EXPECT_EQ(limiter.load().parked, 2);

  one.Release();
  EXPECT_EQ(woken, std::vector<int>({1}));
  EXPECT_FALSE(limiter.TryAcquire().first) << "overtook a parked request";
  Slot granted = first->Take().slot;
  EXPECT_TRUE(granted);
  EXPECT_EQ(limiter.load().in_flight, 2);
  EXPECT_EQ(limiter.load().parked, 1);
}

TEST_F(LimiterTest, OneThatLeavesTheQueueMakesRoom) {
  Limiter limiter = Make(1);
  Slot slot = limiter.TryAcquire().first;
  auto impatient = limiter.Park(Ignore);
  impatient.reset();
  auto patient = limiter.Park(Ignore);
  ASSERT_NE(patient, nullptr);
  slot.Release();
  EXPECT_TRUE(patient->Take().slot);
}

TEST_F(LimiterTest, AGrantedSlotThatNobodyTakesGoesToTheNext) {
  Limiter limiter = Make(2);
  Slot one = limiter.TryAcquire().first;
  Slot two = limiter.TryAcquire().first;
  auto gone = limiter.Park(Ignore);
  auto next = limiter.Park(Ignore);
  one.Release();
  gone.reset();
  EXPECT_TRUE(next->Take().slot);
}

TEST_F(LimiterTest, AStreamGivesItsSlotBackAndIsBoundedApart) {
  Limiter limiter = Make(1, /*max_streams=*/1);
  Slot stream = limiter.TryAcquire().first;
  EXPECT_TRUE(stream.BecomeStream());
  EXPECT_TRUE(stream.BecomeStream());
  EXPECT_FALSE(limiter.HasRoomForStream());
  Slot request = limiter.TryAcquire().first;
  ASSERT_TRUE(request);
  EXPECT_FALSE(request.BecomeStream());
  EXPECT_EQ(limiter.load().in_flight, 1) << "a refused stream keeps its slot";
  stream.Release();
  EXPECT_EQ(limiter.load().streams, 0);
  EXPECT_EQ(limiter.load().in_flight, 1);
}

TEST_F(LimiterTest, AStreamsSlotGoesToTheParked) {
  Limiter limiter = Make(1);
  Slot stream = limiter.TryAcquire().first;
  auto parked = limiter.Park(Ignore);
  stream.BecomeStream();
  EXPECT_TRUE(parked->Take().slot);
}

TEST_F(LimiterTest, ClosedRefusesAllButLetsThoseInFlightFinish) {
  Limiter limiter = Make(1);
  Slot slot = limiter.TryAcquire().first;
  bool woken = false;
  auto parked = limiter.Park([&] { woken = true; });
  limiter.Close();
  EXPECT_TRUE(woken);
  EXPECT_EQ(parked->Take().refusal, Refusal::kShuttingDown);
  EXPECT_EQ(limiter.TryAcquire().second, Refusal::kShuttingDown);
  EXPECT_EQ(limiter.Park(Ignore)->Take().refusal, Refusal::kShuttingDown);

  bool idle = false;
  limiter.WhenIdle([&] { idle = true; });
  EXPECT_FALSE(idle);
  slot.Release();
  EXPECT_TRUE(idle);
}

TEST_F(LimiterTest, AStreamDoesNotKeepItFromBeingIdle) {
  Limiter limiter = Make(1);
  Slot stream = limiter.TryAcquire().first;
  bool idle = false;
  limiter.WhenIdle([&] { idle = true; });
  stream.BecomeStream();
  EXPECT_TRUE(idle);
}

TEST_F(LimiterTest, MeansAreWeightedByTimeAndBeginAnew) {
  Limiter limiter = Make(2);
  {
    Slot one = limiter.TryAcquire().first;
    Slot two = limiter.TryAcquire().first;
    auto parked = limiter.Park(Ignore);
    now_ += seconds(1);
    parked.reset();
    two.Release();
    now_ += seconds(1);
  }
  now_ += seconds(2);
  const Limiter::Means means = limiter.TakeMeans();
  EXPECT_DOUBLE_EQ(means.in_flight, 0.75);  // 2, 1, 0, 0
  EXPECT_DOUBLE_EQ(means.parked, 0.25);
  EXPECT_EQ(means.window, seconds(4));
  now_ += seconds(1);
  EXPECT_DOUBLE_EQ(limiter.TakeMeans().in_flight, 0);
  EXPECT_EQ(limiter.load().requests_total, 2u);
}

// What one request of a thread does: it tries, parks, waits, works and sometimes gives up.
class Visitor {
 public:
  Visitor(Limiter& limiter, std::atomic<int>& at_work, std::atomic<int>& most)
      : limiter_(limiter), at_work_(at_work), most_(most) {}

  void Visit(bool gives_up) {
    auto [slot, refusal] = limiter_.TryAcquire();
    if (!slot) slot = Wait(gives_up);
    if (!slot) return;
    const int now = ++at_work_;
    int seen = most_.load();
    while (now > seen && !most_.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --at_work_;
  }

 private:
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool ringing = false;
  };

  Slot Wait(bool gives_up) {
    auto bell = std::make_shared<Bell>();
    auto parked = limiter_.Park([bell] {
      const std::lock_guard lock(bell->mutex);
      bell->ringing = true;
      bell->rung.notify_one();
    });
    if (parked == nullptr || gives_up) return Slot();
    std::unique_lock lock(bell->mutex);
    bell->rung.wait(lock, [&] { return bell->ringing; });
    return std::move(parked->Take().slot);
  }

  Limiter& limiter_;
  std::atomic<int>& at_work_;
  std::atomic<int>& most_;
};

TEST(LimiterThreadsTest, NeverMoreThanConcurrencyAndNothingIsLost) {
  constexpr int kConcurrency = 3;
  Limiter limiter({.concurrency = kConcurrency, .max_streams = 1});
  std::atomic<int> at_work = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      Visitor visitor(limiter, at_work, most);
      for (int visit = 0; visit < 300; ++visit) visitor.Visit(/*gives_up=*/visit % 7 == 0);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most.load(), kConcurrency);
  EXPECT_EQ(limiter.load().in_flight, 0);
  EXPECT_EQ(limiter.load().parked, 0);
  bool idle = false;
  limiter.WhenIdle([&] { idle = true; });
  EXPECT_TRUE(idle);
}

}  // namespace
}  // namespace krypton::proxy
