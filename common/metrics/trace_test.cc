#include "common/metrics/trace.h"

#include <gtest/gtest.h>

namespace krypton::metrics {
namespace {

constexpr TraceId kTrace = {0x0af7651916cd43dd, 0x8448eb211c80319c};

TEST(TraceTest, ASampledTraceIsTaken) {
  EXPECT_EQ(SampledTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), kTrace);
  EXPECT_EQ(SampledTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"), kTrace);
  EXPECT_EQ(SampledTrace("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), kTrace);
  EXPECT_EQ(SampledTrace("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"), kTrace);
}

TEST(TraceTest, OthersAreNot) {
  for (const char* text : {
           "",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",  // Not sampled.
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
           "00-\"},trace_id=\"x8448eb211c80319c-b7ad6b7169203331-01",
       }) {
    EXPECT_FALSE(SampledTrace(text)) << text;
  }
}

}  // namespace
}  // namespace krypton::metrics
