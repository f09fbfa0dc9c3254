#include "common/metrics/histogram.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace krypton::metrics {
namespace {

TEST(HistogramTest, ABoundBelongsToItsBucket) {
  Histogram histogram({1, 2});
  for (const double value : {0.5, 1.0, 1.5, 2.0, 2.5}) histogram.Observe(value);
  const auto collected = histogram.Collect().histogram;
  ASSERT_EQ(collected.bucket.size(), 3u);
  EXPECT_EQ(collected.bucket[0].cumulative_count, 2u);
  EXPECT_EQ(collected.bucket[1].cumulative_count, 4u);
  EXPECT_EQ(collected.bucket[2].cumulative_count, 5u);
  EXPECT_EQ(collected.sample_count, 5u);
  EXPECT_DOUBLE_EQ(collected.sample_sum, 7.5);
}

TEST(HistogramTest, NoObservationOfManyThreadsIsLost) {
  Histogram histogram({1});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) histogram.Observe(0.5);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto collected = histogram.Collect().histogram;
  EXPECT_EQ(collected.sample_count, 4000u);
  EXPECT_DOUBLE_EQ(collected.sample_sum, 2000);
}

TEST(HistogramTest, ASampledTraceIsTheExemplarOfItsBucketAlone) {
  Histogram histogram({1, 2});
  Histogram::Reading reading;
  histogram.Observe(1);
  histogram.Read(reading);
  EXPECT_TRUE(reading.exemplars.empty());
  histogram.Observe(1.5, TraceId{7, 8});
  histogram.Read(reading);
  ASSERT_EQ(reading.exemplars.size(), 3u);
  EXPECT_FALSE(reading.exemplars[0]);
  ASSERT_TRUE(reading.exemplars[1]);
  EXPECT_EQ(reading.exemplars[1]->value, 1.5);
  EXPECT_EQ(reading.exemplars[1]->trace, (TraceId{7, 8}));
  EXPECT_FALSE(reading.exemplars[2]);
  EXPECT_EQ(reading.cumulated, (std::vector<uint64_t>{1, 2, 2}));
}

}  // namespace
}  // namespace krypton::metrics
