#include "manager/platform/kubernetes/client/token_bucket.h"

#include <gtest/gtest.h>

namespace krypton::kube {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(TokenBucketTest, FillsHoweverLongTheMachineIsUp) {
  for (const hours up : {hours(0), hours(1), hours(2), hours(24 * 365 * 100)}) {
    TokenBucket bucket(10, 2);
    const TokenBucket::Clock::time_point now{up};
    EXPECT_EQ(bucket.Reserve(now).count(), 0);
    EXPECT_EQ(bucket.Reserve(now).count(), 0);
    EXPECT_EQ(bucket.Reserve(now), milliseconds(100)) << up.count();
    EXPECT_EQ(bucket.Reserve(now + milliseconds(200)).count(), 0) << up.count();
    EXPECT_TRUE(bucket.Take(now + hours(1)));
  }
}

}  // namespace
}  // namespace krypton::kube
