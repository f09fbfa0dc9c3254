#include "common/metrics/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "common/metrics/family.h"

namespace krypton::metrics {
namespace {

prometheus::MetricFamily Counter(double value) {
  prometheus::ClientMetric metric;
  metric.label = {{"path", "a\\b\"c\nd"}};
  metric.counter.value = value;
  return {
      "krypton_calls_total", "Calls.\nAll \"of\" them.", prometheus::MetricType::Counter, {metric}};
}

std::string Serialize(const std::vector<prometheus::MetricFamily>& families, Format format) {
  std::string text;
  Writer writer(format, [&text](std::string_view piece) { text += piece; });
  for (const auto& family : families) writer.Family(family);
  writer.Finish();
  return text;
}

prometheus::MetricFamily HistogramOf(std::vector<double> values) {
  Histogram histogram({0.5, 1});
  for (const double value : values) histogram.Observe(value);
  return {
      "krypton_wait_seconds", "Wait.", prometheus::MetricType::Histogram, {histogram.Collect()}};
}

TEST(WriterTest, TextIsEscapedAndEndsWithALineEnd) {
  EXPECT_EQ(Serialize({Counter(3)}, Format::kText),
            "# HELP krypton_calls_total Calls.\\nAll \"of\" them.\n"
            "# TYPE krypton_calls_total counter\n"
            "krypton_calls_total{path=\"a\\\\b\\\"c\\nd\"} 3\n");
}

TEST(WriterTest, HistogramsEndWithInfAsTheirCount) {
  EXPECT_EQ(Serialize({HistogramOf({0.5, 0.7, 9})}, Format::kText),
            "# HELP krypton_wait_seconds Wait.\n"
            "# TYPE krypton_wait_seconds histogram\n"
            "krypton_wait_seconds_bucket{le=\"0.5\"} 1\n"
            "krypton_wait_seconds_bucket{le=\"1\"} 2\n"
            "krypton_wait_seconds_bucket{le=\"+Inf\"} 3\n"
            "krypton_wait_seconds_sum 10.2\n"
            "krypton_wait_seconds_count 3\n");
}

TEST(WriterTest, OpenMetricsNamesCountersWithoutTotalAndEndsWithEof) {
  EXPECT_EQ(Serialize({Counter(3), HistogramOf({0.7})}, Format::kOpenMetrics),
            "# HELP krypton_calls Calls.\\nAll \\\"of\\\" them.\n"
            "# TYPE krypton_calls counter\n"
            "krypton_calls_total{path=\"a\\\\b\\\"c\\nd\"} 3\n"
            "# HELP krypton_wait_seconds Wait.\n"
            "# TYPE krypton_wait_seconds histogram\n"
            "krypton_wait_seconds_bucket{le=\"0.5\"} 0\n"
            "krypton_wait_seconds_bucket{le=\"1.0\"} 1\n"
            "krypton_wait_seconds_bucket{le=\"+Inf\"} 1\n"
            "krypton_wait_seconds_sum 0.7\n"
            "krypton_wait_seconds_count 1\n"
            "# EOF\n");
}

TEST(WriterTest, NumbersReadBackExactly) {
  for (const double value : {1e21, 0.1, 1234567890123.0, -2.5}) {
    const std::string text = Serialize({Counter(value)}, Format::kText);
    EXPECT_EQ(strtod(text.c_str() + text.rfind(' '), nullptr), value);
  }
  EXPECT_NE(
      Serialize({Counter(std::numeric_limits<double>::quiet_NaN())}, Format::kText).find(" NaN\n"),
      std::string::npos);
}

TEST(WriterTest, FamiliesThatWriteThemselvesLookAsThoseCollected) {
  Registry registry("test");
  const auto calls = CounterFamily::Make(registry, "krypton_calls_total", "Calls.");
  calls->Get({{"path", "a\\b\"c\nd"}, {"agent", "echo"}})->Increment(12'345'678);
  const auto depth = GaugeFamily::Make(registry, "krypton_depth", "Depth.");
  depth->Get({})->Set(-0.5);
  const auto wait = HistogramFamily::Make(registry, "krypton_wait_seconds", "Wait.", {0.5, 1});
  wait->Get({})->Observe(0.7);
  wait->Get({{"agent", "echo"}})->Observe(7);
  for (const Format format : {Format::kText, Format::kOpenMetrics}) {
    for (const WritingCollectable* family : {static_cast<const WritingCollectable*>(calls.get()),
                                             static_cast<const WritingCollectable*>(depth.get()),
                                             static_cast<const WritingCollectable*>(wait.get())}) {
      std::string text;
      Writer writer(format, [&text](std::string_view piece) { text += piece; });
      family->Write(writer);
      writer.Finish();
      EXPECT_EQ(text, Serialize(family->Collect(), format));
    }
  }
}

TEST(WriterTest, ALongTextComesInPieces) {
  Registry registry("test");
  const auto calls = CounterFamily::Make(registry, "krypton_calls_total", "Calls.");
  for (int i = 0; i < 10'000; ++i) calls->Get({{"agent", std::to_string(i)}});
  std::string text;
  size_t longest = 0;
  registry.Expose(Format::kText, [&](std::string_view piece) {
    longest = std::max(longest, piece.size());
    text += piece;
  });
  EXPECT_LT(longest, text.size() / 4);
  const auto family = [](const std::string& all) {
    const size_t begin = all.find("krypton_calls_total{");
    return all.substr(begin, all.find("# HELP", begin) - begin);
  };
  EXPECT_EQ(family(text), family(registry.Expose(Format::kText)));
}

TEST(WriterTest, OnlyOpenMetricsHasExemplars) {
  Registry registry("test");
  const auto wait = HistogramFamily::Make(registry, "krypton_wait_seconds", "Wait.", {0.5, 1});
  const auto series = wait->Get({{"agent", "echo"}});
  series->Observe(0.25, TraceId{0x0af7651916cd43dd, 0x8448eb211c80319c});
  series->Observe(0.125);
  series->Observe(7, TraceId{});  // No sampled trace.
  const std::string open = registry.Expose(Format::kOpenMetrics);
  const std::string line =
      "krypton_wait_seconds_bucket{agent=\"echo\",le=\"0.5\"} 2 "
      "# {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.25 ";
  const size_t at = open.find(line);
  ASSERT_NE(at, std::string::npos) << open;
  EXPECT_NEAR(strtod(open.c_str() + at + line.size(), nullptr), static_cast<double>(time(nullptr)),
              5);
  EXPECT_NE(open.find("krypton_wait_seconds_bucket{agent=\"echo\",le=\"+Inf\"} 3\n"),
            std::string::npos);
  EXPECT_EQ(registry.Expose(Format::kText).find(" # {"), std::string::npos);
}

}  // namespace
}  // namespace krypton::metrics
