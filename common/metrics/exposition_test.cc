#include "common/metrics/exposition.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace krypton::metrics {
namespace {

TEST(ExpositionTest, TheFormatFollowsAccept) {
  // What Prometheus 2.42 sends.
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0,"
                         "application/openmetrics-text;version=0.0.1;q=0.75,"
                         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::kOpenMetrics);
  // What Prometheus 3 sends.
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                         "application/openmetrics-text;version=0.0.1;q=0.4,"
                         "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                         "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"),
            Format::kOpenMetrics);
  EXPECT_EQ(ChooseFormat("application/json"), Format::kText);  // Never 406.
  EXPECT_EQ(ChooseFormat("text/html,*/*;q=0.8"), Format::kText);
  EXPECT_EQ(ChooseFormat(""), Format::kText);
  EXPECT_EQ(ChooseFormat("*/*"), Format::kText);
  EXPECT_EQ(ChooseFormat("text/plain;version=0.0.4"), Format::kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0;q=0.1,text/plain"),
            Format::kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=2.0.0"), Format::kText);
  EXPECT_EQ(ChooseFormat(";;q=,,=;q=x"), Format::kText);
}

// RFC 9110 §5.6.6: what stands in quotes is the value, and ends neither parameter nor element.
TEST(ExpositionTest, AQuotedParameterMeansTheSameAsAToken) {
  for (const std::string_view accept :
       {R"(application/openmetrics-text; version="1.0.0")",
        R"(application/openmetrics-text;version="1.\0.0";q=0.9, text/plain;q=0.8)",
        R"(text/plain;x="a, application/json;q=1";q=0.4, application/openmetrics-text;q=0.5)"}) {
    EXPECT_EQ(ChooseFormat(accept), Format::kOpenMetrics) << accept;
  }
  for (const std::string_view accept :
       {R"(application/openmetrics-text; version="2.0.0")",
        R"(application/openmetrics-text; version="1.0.0", text/plain)",
        R"(text/plain;x=", application/openmetrics-text)",
        R"(text/plain;x=", application/openmetrics-text\)",
        R"(application/openmetrics-text; version=")"}) {
    EXPECT_EQ(ChooseFormat(accept), Format::kText) << accept;
  }
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
  std::string text;
  Gzip gzip;
  for (int i = 0; i < 20'000; ++i) {  // Past its window, and past its own piece of what comes out.
    const std::string line = std::to_string(i * 2'654'435'761U) + "\n";
    gzip.Add(line);
    text += line;
  }
  const std::string zipped = gzip.Finish();
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
