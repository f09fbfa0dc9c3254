#include "common/metrics/exposition.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <limits>

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

prometheus::MetricFamily HistogramOf(std::vector<double> values) {
  Histogram histogram({0.5, 1});
  for (const double value : values) histogram.Observe(value);
  return {
      "krypton_wait_seconds", "Wait.", prometheus::MetricType::Histogram, {histogram.Collect()}};
}

TEST(ExpositionTest, TextIsEscapedAndEndsWithALineEnd) {
  EXPECT_EQ(Serialize({Counter(3)}, Format::kText),
            "# HELP krypton_calls_total Calls.\\nAll \"of\" them.\n"
            "# TYPE krypton_calls_total counter\n"
            "krypton_calls_total{path=\"a\\\\b\\\"c\\nd\"} 3\n");
}

TEST(ExpositionTest, HistogramsEndWithInfAsTheirCount) {
  EXPECT_EQ(Serialize({HistogramOf({0.5, 0.7, 9})}, Format::kText),
            "# HELP krypton_wait_seconds Wait.\n"
            "# TYPE krypton_wait_seconds histogram\n"
            "krypton_wait_seconds_bucket{le=\"0.5\"} 1\n"
            "krypton_wait_seconds_bucket{le=\"1\"} 2\n"
            "krypton_wait_seconds_bucket{le=\"+Inf\"} 3\n"
            "krypton_wait_seconds_sum 10.2\n"
            "krypton_wait_seconds_count 3\n");
}

TEST(ExpositionTest, OpenMetricsNamesCountersWithoutTotalAndEndsWithEof) {
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

TEST(ExpositionTest, NumbersReadBackExactly) {
  for (const double value : {1e21, 0.1, 1234567890123.0, -2.5}) {
    const std::string text = Serialize({Counter(value)}, Format::kText);
    EXPECT_EQ(strtod(text.c_str() + text.rfind(' '), nullptr), value);
  }
  EXPECT_NE(
      Serialize({Counter(std::numeric_limits<double>::quiet_NaN())}, Format::kText).find(" NaN\n"),
      std::string::npos);
}

TEST(ExpositionTest, TheFormatFollowsAccept) {
  // What Prometheus 2.42 sends.
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0,"
                         "application/openmetrics-text;version=0.0.1;q=0.75,"
                         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::kOpenMetrics);
  EXPECT_EQ(ChooseFormat(""), Format::kText);
  EXPECT_EQ(ChooseFormat("*/*"), Format::kText);
  EXPECT_EQ(ChooseFormat("text/plain;version=0.0.4"), Format::kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0;q=0.1,text/plain"),
            Format::kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=2.0.0"), Format::kText);
  EXPECT_EQ(ChooseFormat(";;q=,,=;q=x"), Format::kText);
}

TEST(ExpositionTest, GzipOnlyWhenAdmitted) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("br, GZIP;q=0.5"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("identity"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0, *"));
}

TEST(ExpositionTest, GzipReadsBack) {
  const std::string text(100'000, 'x');
  const std::string zipped = Gzip(text);
  EXPECT_LT(zipped.size(), text.size());
  z_stream stream = {};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string back(text.size() + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zipped.data()));
  stream.avail_in = static_cast<uInt>(zipped.size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(back.substr(0, stream.total_out), text);
  inflateEnd(&stream);
}

}  // namespace
}  // namespace krypton::metrics
