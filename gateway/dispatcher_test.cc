#include "gateway/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "common/resource/key.h"

namespace krypton::gateway {
namespace {

using testing::ElementsAre;

const TimePoint kNow = TimePoint{} + std::chrono::hours(1);

v1::RegistryEntry Entry(const std::vector<std::string>& instances, int concurrency) {
  v1::RegistryEntry entry;
  int port = 4000;
  for (const std::string& instance : instances) {
    v1::Endpoint& endpoint = *entry.add_endpoints();
    endpoint.set_instance(instance);
    endpoint.set_address("127.0.0.1:" + std::to_string(port++));
    endpoint.set_state(v1::ENDPOINT_STATE_READY);
    endpoint.set_concurrency(concurrency);
  }
  return entry;
}

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() { Make({}); }

  void Make(Dispatcher::Settings settings) {
    dispatcher_ = std::make_shared<Dispatcher>(
        resource::AgentKey("default", "echo"), settings,
        metrics_.For(resource::AgentKey("default", "echo")),
        [this](const DispatcherPtr&, bool urgent) { urgent_reports_ += urgent ? 1 : 0; });
  }
  void Endpoints(const std::vector<std::string>& instances, int concurrency = 1,
                 TimePoint now = kNow) {
    dispatcher_->Update(Entry(instances, concurrency), policy_, now);
  }
  std::unique_ptr<Ticket> NewTicket() { return std::make_unique<Ticket>(dispatcher_); }
  // A ticket whose wake writes `name` into woken_.
  Place Enter(Ticket& ticket, const std::string& name, TimePoint now = kNow) {
    return dispatcher_->Enter(
        ticket, [this, name] { woken_.push_back(name); }, now);
  }
  Place Reenter(Ticket& ticket, Setback setback, const std::string& name, TimePoint now = kNow) {
    return dispatcher_->Reenter(
        ticket, setback, [this, name] { woken_.push_back(name); }, now);
  }
  void Leave(Ticket& ticket) { dispatcher_->Leave(ticket, /*answered=*/true, kNow); }

  metrics::Registry registry_{"gateway"};
  GatewayMetrics metrics_{registry_};
  std::shared_ptr<const CallPolicy> policy_ = std::make_shared<CallPolicy>();
  DispatcherPtr dispatcher_;
  std::vector<std::string> woken_;
  std::atomic<int> urgent_reports_{0};
};

TEST_F(DispatcherTest, GrantsAFreeSlotAtOnceAndWithoutAWake) {
  Endpoints({"a"});
  auto ticket = NewTicket();
  EXPECT_EQ(dispatcher_->TryEnter(*ticket, kNow), Place::kGranted);
  EXPECT_EQ(ticket->endpoint()->instance, "a");
  EXPECT_FALSE(ticket->waited());
  EXPECT_EQ(dispatcher_->totals().in_flight, 1);
  Leave(*ticket);
  EXPECT_EQ(dispatcher_->totals().in_flight, 0);
  EXPECT_TRUE(woken_.empty());
}

TEST_F(DispatcherTest, QueuedRequestGetsTheFirstFreeSlot) {
  Endpoints({"a"});
  auto first = NewTicket(), second = NewTicket(), third = NewTicket();
  EXPECT_EQ(Enter(*first, "first"), Place::kGranted);
  EXPECT_EQ(Enter(*second, "second"), Place::kQueued);
  EXPECT_EQ(Enter(*third, "third"), Place::kQueued);
  Leave(*first);
  EXPECT_THAT(woken_, ElementsAre("second"));
  EXPECT_EQ(dispatcher_->Check(*second, kNow), Place::kGranted);
  EXPECT_EQ(dispatcher_->Check(*third, kNow), Place::kQueued);
  Leave(*second);
  EXPECT_THAT(woken_, ElementsAre("second", "third"));
}

TEST_F(DispatcherTest, WakesAsManyAsANewReplicaTakes) {
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (int i = 0; i < 5; ++i) {
    tickets.push_back(NewTicket());
    EXPECT_EQ(Enter(*tickets.back(), std::to_string(i)), Place::kQueued);
  }
  EXPECT_TRUE(tickets[0]->was_cold());
  Endpoints({"a"}, 3);
  EXPECT_THAT(woken_, ElementsAre("0", "1", "2"));
  EXPECT_TRUE(tickets[0]->first_after_wake());
  EXPECT_FALSE(tickets[1]->first_after_wake());
}

TEST_F(DispatcherTest, TheQueueIsBounded) {
  Make({.max_queue = 2});
  auto one = NewTicket(), two = NewTicket(), three = NewTicket();
  EXPECT_EQ(Enter(*one, "one"), Place::kQueued);
  EXPECT_EQ(Enter(*two, "two"), Place::kQueued);
  EXPECT_EQ(Enter(*three, "three"), Place::kQueueFull);
  two.reset();
  EXPECT_EQ(Enter(*three, "three"), Place::kQueued);
}

TEST_F(DispatcherTest, ACancelledRequestFreesItsPlaceAtOnce) {
  auto one = NewTicket(), two = NewTicket();
  Enter(*one, "one");
  Enter(*two, "two");
  one.reset();
  EXPECT_EQ(dispatcher_->totals().waiting, 1);
  woken_.clear();
  Endpoints({"a"});
  EXPECT_THAT(woken_, ElementsAre("two"));
}

TEST_F(DispatcherTest, ACancelledRequestGivesASlotOnThatItWasJustGranted) {
  Endpoints({"a"});
  auto one = NewTicket(), two = NewTicket(), three = NewTicket();
  Enter(*one, "one");
  Enter(*two, "two");
  Enter(*three, "three");
  Leave(*one);  // Two is granted, and cancelled before it hears of it.
  two.reset();
  EXPECT_THAT(woken_, ElementsAre("two", "three"));
  EXPECT_EQ(dispatcher_->totals().in_flight, 1);
}

TEST_F(DispatcherTest, WhatASidecarRefusedGoesToTheFrontAndIsNotSentThereAgainAtOnce) {
  Endpoints({"a"}, 2);
  auto one = NewTicket(), two = NewTicket(), three = NewTicket();
  Enter(*one, "one");
  Enter(*two, "two");
  EXPECT_EQ(Enter(*three, "three"), Place::kQueued);
  EXPECT_EQ(Reenter(*two, Setback::kOverCapacity, "two again"), Place::kQueued);
  EXPECT_TRUE(woken_.empty());
  EXPECT_EQ(dispatcher_->RetryAt(kNow), kNow + milliseconds(10));
  const TimePoint later = kNow + milliseconds(10);
  EXPECT_EQ(dispatcher_->Check(*two, later), Place::kGranted);
  EXPECT_EQ(dispatcher_->Check(*three, later), Place::kQueued);
}

TEST_F(DispatcherTest, AnAnswerEndsTheAvoidance) {
  Endpoints({"a"}, 2);
  auto one = NewTicket(), two = NewTicket();
  Enter(*one, "one");
  Enter(*two, "two");
  Reenter(*two, Setback::kOverCapacity, "two again");
  Leave(*one);
  EXPECT_THAT(woken_, ElementsAre("two again"));
}

TEST_F(DispatcherTest, RefusalsInARowAreFurtherApart) {
  Endpoints({"a"});
  auto ticket = NewTicket();
  Enter(*ticket, "t");
  TimePoint now = kNow;
  for (const int wait : {10, 20, 40, 80, 160, 200, 200}) {
    EXPECT_EQ(Reenter(*ticket, Setback::kOverCapacity, "t", now), Place::kQueued);
    EXPECT_EQ(dispatcher_->RetryAt(now), now + milliseconds(wait));
    now += milliseconds(wait);
    EXPECT_EQ(dispatcher_->Check(*ticket, now), Place::kGranted);
  }
}

TEST_F(DispatcherTest, ADrainingReplicaIsLeftForGood) {
  Endpoints({"a", "b"}, 1);
  auto one = NewTicket();
  Enter(*one, "one");
  const std::string left = one->endpoint()->instance;
  EXPECT_EQ(Reenter(*one, Setback::kLeaving, "one"), Place::kGranted);
  EXPECT_NE(one->endpoint()->instance, left);
  Endpoints({"a", "b"}, 1);  // The registry does not know yet.
  auto two = NewTicket();
  EXPECT_EQ(Enter(*two, "two"), Place::kQueued);
}

TEST_F(DispatcherTest, MayParkOnlyWhereNoOtherReplicaIsFree) {
  Endpoints({"a", "b"}, 1);
  auto one = NewTicket(), two = NewTicket();
  Enter(*one, "one");
  EXPECT_FALSE(one->may_park());
  Enter(*two, "two");
  EXPECT_TRUE(two->may_park());
}

TEST_F(DispatcherTest, AStreamGivesItsSlotBackAndIsBounded) {
  auto policy = std::make_shared<CallPolicy>();
  policy->max_streams = 1;
  policy_ = policy;
  Endpoints({"a"}, 1);
  auto stream = NewTicket(), call = NewTicket(), second = NewTicket();
  Enter(*stream, "stream");
  Enter(*call, "call");
  EXPECT_TRUE(dispatcher_->BecomeStream(*stream, kNow));
  EXPECT_THAT(woken_, ElementsAre("call"));
  EXPECT_FALSE(dispatcher_->BecomeStream(*call, kNow));
  EXPECT_EQ(dispatcher_->totals().streams, 1);
  EXPECT_EQ(dispatcher_->totals().in_flight, 1);
  second->wants_stream = true;
  Leave(*call);
  EXPECT_EQ(Enter(*second, "second"), Place::kQueued);
  Leave(*stream);
  EXPECT_THAT(woken_, ElementsAre("call", "second"));
}

TEST_F(DispatcherTest, ASessionGoesWhereItsAnswerCameFrom) {
  Endpoints({"a", "b"}, 8);
  auto first = NewTicket();
  Enter(*first, "first");
  dispatcher_->LearnSession(*first, "s1");
  const std::string its = first->endpoint()->instance;
  Leave(*first);
  for (int i = 0; i < 20; ++i) {
    Ticket next(dispatcher_);
    next.session = "s1";
    ASSERT_EQ(dispatcher_->TryEnter(next, kNow), Place::kGranted);
    EXPECT_EQ(next.endpoint()->instance, its);
  }
  const std::string other = its == "a" ? "b" : "a";
  Endpoints({other}, 8);
  Ticket orphan(dispatcher_);
  orphan.session = "s1";
  EXPECT_EQ(dispatcher_->TryEnter(orphan, kNow), Place::kGranted);
  EXPECT_EQ(orphan.endpoint()->instance, other);
}

TEST_F(DispatcherTest, AWaitingSessionDoesNotHoldUpTheOthers) {
  Endpoints({"a", "b"}, 1);
  auto first = NewTicket();
  Enter(*first, "first");
  dispatcher_->LearnSession(*first, "s");
  auto second = NewTicket();
  Enter(*second, "second");
  auto mine = NewTicket(), any = NewTicket();
  mine->session = "s";
  Enter(*mine, "mine");
  Enter(*any, "any");
  Leave(*second);
  EXPECT_THAT(woken_, ElementsAre("any"));
  Leave(*first);
  EXPECT_THAT(woken_, ElementsAre("any", "mine"));
}

TEST_F(DispatcherTest, DeletionSendsEveryWaiterAway) {
  auto waiting = NewTicket();
  Enter(*waiting, "waiting");
  dispatcher_->Close();
  EXPECT_THAT(woken_, ElementsAre("waiting"));
  EXPECT_EQ(dispatcher_->Check(*waiting, kNow), Place::kGone);
  auto late = NewTicket();
  EXPECT_EQ(Enter(*late, "late"), Place::kGone);
}

TEST_F(DispatcherTest, AQueueThatBeginsOrEndsIsReportedAtOnce) {
  auto one = NewTicket(), two = NewTicket();
  Enter(*one, "one");
  EXPECT_EQ(urgent_reports_, 1);
  Enter(*two, "two");
  EXPECT_EQ(urgent_reports_, 1);
  one.reset();
  two.reset();
  EXPECT_EQ(urgent_reports_, 2);
}

TEST_F(DispatcherTest, AQueueThatIsServedIsReportedAtOnce) {
  auto one = NewTicket();
  Enter(*one, "one");
  EXPECT_EQ(urgent_reports_, 1);
  Endpoints({"a"});
  EXPECT_EQ(urgent_reports_, 2);
  auto two = NewTicket();
  Enter(*two, "two");
  EXPECT_EQ(urgent_reports_, 3);
  Leave(*one);
  EXPECT_EQ(urgent_reports_, 4);
}

TEST_F(DispatcherTest, ANewcomerDoesNotOvertakeWhatWaitsForAnAvoidedReplica) {
  Endpoints({"a"});
  auto refused = NewTicket(), newcomer = NewTicket();
  Enter(*refused, "refused");
  Reenter(*refused, Setback::kOverCapacity, "refused");
  const TimePoint later = kNow + milliseconds(10);  // Its own timer is a tick late.
  EXPECT_EQ(dispatcher_->TryEnter(*newcomer, later), Place::kMustWait);
  EXPECT_THAT(woken_, ElementsAre("refused"));
  EXPECT_EQ(dispatcher_->Check(*refused, later), Place::kGranted);
}

TEST_F(DispatcherTest, TheReportCarriesTheMeanOfWhatWaited) {
  dispatcher_->TakeLoad(kNow);
  auto one = NewTicket(), two = NewTicket();
  Enter(*one, "one", kNow);
  Enter(*two, "two", kNow + milliseconds(500));
  const v1::QueueLoad load = dispatcher_->TakeLoad(kNow + milliseconds(1000));
  EXPECT_EQ(load.waiting(), 2);
  EXPECT_NEAR(load.waiting_mean(), 1.5, 1e-6);
  EXPECT_NEAR(dispatcher_->TakeLoad(kNow + milliseconds(2000)).waiting_mean(), 2, 1e-6);
  // A report that looked at the clock before another thread did.
  EXPECT_GE(dispatcher_->TakeLoad(kNow + milliseconds(1999)).waiting_mean(), 0);
}

// Invariant 2: never more than the concurrency in flight, whatever threads do; and nobody waits for
// ever.
TEST_F(DispatcherTest, ManyThreadsShareTheSlotsAndNobodyIsForgotten) {
  constexpr int kThreads = 6, kRequests = 400, kConcurrency = 2;
  Endpoints({"a", "b"}, kConcurrency);
  std::atomic<int> in_flight{0}, most{0}, cancelled{0};
  const auto work = [&](int seed) {
    for (int i = 0; i < kRequests; ++i) {
      struct Signal {
        std::mutex mutex;
        std::condition_variable changed;
        bool set = false;
      };
      auto signal = std::make_shared<Signal>();
      Ticket ticket(dispatcher_);
      Place place = dispatcher_->Enter(
          ticket,
          [signal] {
            std::lock_guard lock(signal->mutex);
            signal->set = true;
            signal->changed.notify_one();
          },
          http::Clock::now());
      if ((i + seed) % 7 == 0 && place == Place::kQueued) {
        ++cancelled;
        continue;
      }
      while (place == Place::kQueued) {
        std::unique_lock lock(signal->mutex);
        ASSERT_TRUE(signal->changed.wait_for(lock, std::chrono::seconds(60), [&] {
          return signal->set;
        })) << "forgotten in the queue";
        signal->set = false;
        place = dispatcher_->Check(ticket, http::Clock::now());
      }
      ASSERT_EQ(place, Place::kGranted);
      const int now_in_flight = ++in_flight;
      int seen = most.load();
      while (seen < now_in_flight && !most.compare_exchange_weak(seen, now_in_flight)) {
      }
      std::this_thread::yield();
      --in_flight;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 2 * kConcurrency);
  EXPECT_EQ(dispatcher_->totals().in_flight, 0);
  EXPECT_EQ(dispatcher_->totals().waiting, 0);
}

}  // namespace
}  // namespace krypton::gateway
