#include "common/config/duration.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

using namespace std::chrono_literals;

TEST(DurationTest, ReadsWhatGoReads) {
  const std::pair<const char*, std::chrono::nanoseconds> rows[] = {
      {"0", 0ns},        {"300s", 300s},
      {"1h30m", 90min},  {"1.5s", 1500ms},
      {"250ms", 250ms},  {"1m", 1min},
      {"-1.5h", -90min}, {"+5s", 5s},
      {".5s", 500ms},    {"1.s", 1s},
      {"1us", 1us},      {"1\u00b5s", 1us},
      {"1\u03bcs", 1us}, {"1h0m0.000000001s", 1h + 1ns},
      {"1.1s", 1100ms},  {"100000h", 100000h},
  };
  for (const auto& [text, expected] : rows) {
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(DurationTest, RefusesWhatGoRefuses) {
  for (const char* text : {"", "5", "s", "1x", "1 s", "1s ", "--1s", ".s", "1s2", "1d", "-",
                           "9999999999h", "1e3s", "inf"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(DurationTest, IsWrittenAsItIsRead) {
  for (const char* text : {"0s", "1h30m", "90ms", "1s500ms", "1us1ns", "-2m"}) {
    EXPECT_EQ(FormatDuration(*ParseDuration(text)), text);
  }
}

}  // namespace
}  // namespace krypton::config
