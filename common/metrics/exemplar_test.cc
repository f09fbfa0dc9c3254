#include "common/metrics/exemplar.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace krypton::metrics {
namespace {

TEST(ExemplarSlotTest, TheLatestStays) {
  ExemplarSlot slot;
  EXPECT_FALSE(slot.Read());
  slot.Offer({{1, 2}, 0.5, 100});
  slot.Offer({{3, 4}, 0.25, 101.5});
  const auto exemplar = slot.Read();
  ASSERT_TRUE(exemplar);
  EXPECT_EQ(exemplar->trace, (TraceId{3, 4}));
  EXPECT_EQ(exemplar->value, 0.25);
  EXPECT_EQ(exemplar->timestamp, 101.5);
}

TEST(ExemplarSlotTest, WhatIsReadWasOfferedAsAWhole) {
  ExemplarSlot slot;
  std::vector<std::thread> writers;
  for (uint64_t id = 1; id <= 3; ++id) {
    writers.emplace_back([&slot, id] {
      for (int n = 0; n < 20'000; ++n) {
        const auto value = static_cast<double>(id);
        slot.Offer({{id, id}, value, value});
      }
    });
  }
  for (int n = 0; n < 20'000; ++n) {
    const auto exemplar = slot.Read();
    if (!exemplar) continue;
    ASSERT_EQ(exemplar->trace.high, exemplar->trace.low);
    ASSERT_EQ(static_cast<double>(exemplar->trace.low), exemplar->value);
    ASSERT_EQ(exemplar->value, exemplar->timestamp);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(slot.Read());
}

}  // namespace
}  // namespace krypton::metrics
