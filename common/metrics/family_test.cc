#include "common/metrics/family.h"

#include <gtest/gtest.h>

namespace krypton::metrics {
namespace {

class FamilyTest : public ::testing::Test {
 protected:
  FamilyTest() : registry_("test") {}
  bool Shows(const std::string& line) const {
    return registry_.Expose(Format::kText).find(line + "\n") != std::string::npos;
  }

  Registry registry_;
};

TEST_F(FamilyTest, ASeriesStartsAtZeroAndCounts) {
  const auto family = CounterFamily::Make(registry_, "krypton_calls_total", "Calls.");
  const auto series = family->Get({{"agent", "echo"}, {"namespace", "default"}});
  EXPECT_TRUE(Shows("krypton_calls_total{agent=\"echo\",namespace=\"default\"} 0"));
  series->Increment(2);
  EXPECT_EQ(family->Get({{"namespace", "default"}, {"agent", "echo"}}), series);
  EXPECT_TRUE(Shows("krypton_calls_total{agent=\"echo\",namespace=\"default\"} 2"));
}

TEST_F(FamilyTest, ADeletedAgentTakesItsSeriesAlongAndHoldersMayGoOn) {
  const auto calls = CounterFamily::Make(registry_, "krypton_calls_total", "Calls.");
  const auto depth = GaugeFamily::Make(registry_, "krypton_buffer_depth", "Depth.");
  const auto wait = HistogramFamily::Make(registry_, "krypton_wait_seconds", "Wait.", {0.1, 1});
  const Labels echo = {{"agent", "echo"}, {"namespace", "default"}};
  const auto held = calls->Get({{"agent", "echo"}, {"namespace", "default"}, {"status", "200"}});
  calls->Get({{"agent", "echo"}, {"namespace", "other"}, {"status", "200"}});
  depth->Get(echo);
  wait->Get(echo)->Observe(0.5);
  AgentSeries agents;
  agents.Add(calls);
  agents.Add(depth);
  agents.Add(wait);
  EXPECT_TRUE(Shows("krypton_buffer_depth{agent=\"echo\",namespace=\"default\"} 0"));

  agents.Remove("default", "echo");
  EXPECT_EQ(calls->size(), 1u);
  EXPECT_EQ(depth->size(), 0u);
  EXPECT_EQ(wait->size(), 0u);
  held->Increment();
  EXPECT_FALSE(Shows("krypton_calls_total{agent=\"echo\",namespace=\"default\",status=\"200\"} 1"));
  EXPECT_FALSE(Shows("krypton_buffer_depth{agent=\"echo\",namespace=\"default\"} 0"));
  depth->Get(echo);
  EXPECT_TRUE(Shows("krypton_buffer_depth{agent=\"echo\",namespace=\"default\"} 0"));
}

}  // namespace
}  // namespace krypton::metrics
