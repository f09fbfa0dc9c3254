#include "common/rpc/backoff.h"

#include <gtest/gtest.h>

namespace krypton::rpc {
namespace {

using namespace std::chrono_literals;

TEST(BackoffTest, GrowsFromMinToMaxWithJitterAndStartsAgain) {
  Backoff backoff({}, 1);
  std::chrono::milliseconds step = 50ms;
  for (int i = 0; i < 12; ++i) {
    const auto wait = backoff.Next();
    EXPECT_GE(wait, step / 2) << i;
    EXPECT_LE(wait, step) << i;
    step = std::min(step * 2, std::chrono::milliseconds(5s));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), 50ms);
}

TEST(BackoffTest, TwoDoNotWaitInStep) {
  Backoff one({}, 1);
  Backoff other({}, 2);
  int equal = 0;
  for (int i = 0; i < 10; ++i) equal += one.Next() == other.Next() ? 1 : 0;
  EXPECT_LT(equal, 5);
}

}  // namespace
}  // namespace krypton::rpc
