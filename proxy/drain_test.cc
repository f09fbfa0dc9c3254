#include "proxy/drain.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>

#include "common/testing/wait_for.h"

namespace krypton::proxy {
namespace {

using std::chrono::milliseconds;

ops::Request RequestWith(const std::string& token) {
  ops::Request request;
  request.method = "GET";
  request.path = "/drain";
  request.header = [token](std::string_view name) {
    return name == "krypton-drain-token" ? token : std::string();
  };
  return request;
}

class DrainTest : public ::testing::Test {
 protected:
  Drain Make(milliseconds timeout, std::string token = "secret") {
    return Drain({.timeout = timeout, .linger = milliseconds(0), .token = std::move(token)},
                 limiter_, replica_, [this] { ++announced_; });
  }

  Limiter limiter_{{.concurrency = 2}};
  Replica replica_;
  std::atomic<int> announced_ = 0;
};

TEST_F(DrainTest, WithoutTheTokenNothingHappens) {
  Drain drain = Make(milliseconds(0));
  for (const char* wrong : {"", "secre", "secreT", "secrett"}) {
    EXPECT_EQ(drain.Handle(RequestWith(wrong)).status, 403) << wrong;
  }
  EXPECT_FALSE(replica_.draining());
  EXPECT_TRUE(limiter_.TryAcquire().first);
}

TEST_F(DrainTest, WithoutATokenOfItsOwnItIsClosedToAll) {
  Drain drain = Make(milliseconds(0), "");
  EXPECT_EQ(drain.Handle(RequestWith("")).status, 403);
}

TEST_F(DrainTest, AnswersWhenNothingIsInFlightAnyMore) {
  Drain drain = Make(std::chrono::hours(1));
  Limiter::Slot slot = limiter_.TryAcquire().first;
  auto answer = std::async(std::launch::async, [&] { return drain.Handle(RequestWith("secret")); });
  ASSERT_TRUE(WaitFor([&] { return replica_.draining() && announced_ == 1; }));
  EXPECT_EQ(limiter_.TryAcquire().second, Refusal::kShuttingDown);
  EXPECT_EQ(answer.wait_for(milliseconds(0)), std::future_status::timeout);
  slot.Release();
  const ops::Response response = answer.get();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"idle":true,"in_flight":0})");
}

TEST_F(DrainTest, AnswersWhenTheTimeIsOver) {
  Drain drain = Make(milliseconds(10));
  const Limiter::Slot slot = limiter_.TryAcquire().first;
  EXPECT_EQ(drain.Handle(RequestWith("secret")).body, R"({"idle":false,"in_flight":1})");
  EXPECT_FALSE(drain.Wait()) << "the time is counted from the beginning";
}

TEST_F(DrainTest, WhoBeginsSecondJoins) {
  Drain drain = Make(std::chrono::hours(1));
  drain.Begin();
  EXPECT_TRUE(drain.Wait());
  EXPECT_EQ(announced_, 1);
}

}  // namespace
}  // namespace krypton::proxy
