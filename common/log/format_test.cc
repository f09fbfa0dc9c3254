#include "common/log/format.h"

#include <gtest/gtest.h>

#include <limits>

namespace krypton::log {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

Event At(std::string_view message, Fields fields) {
  // 2026-11-24T20:15:00.123456Z
  const auto time =
      std::chrono::system_clock::time_point(std::chrono::microseconds(1795551300123456));
  return {time, Level::kInfo, "gateway", message, fields, "gateway/main.cc", 7};
}

TEST(FormatTest, JsonStringsAreEscaped) {
  EXPECT_EQ(Json("a\"b\\c\n\t\r\x01\x7f"), R"("a\"b\\c\n\t\r\u0001\u007f")");
  EXPECT_EQ(Json("\u00e9\u20ac\U0001F600"), "\"\u00e9\u20ac\U0001F600\"");
}

TEST(FormatTest, InvalidUtf8BecomesTheReplacementCharacter) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Json("\xff"), "\"" + r + "\"");
  EXPECT_EQ(Json("\xc3"), "\"" + r + "\"");                          // cut off
  EXPECT_EQ(Json("\xc0\xaf"), "\"" + r + r + "\"");                  // overlong
  EXPECT_EQ(Json("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // surrogate
  EXPECT_EQ(Json("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // beyond U+10FFFF
  EXPECT_EQ(Json("a\x80z"), "\"a" + r + "z\"");
}

TEST(FormatTest, AJsonLineHasTheFixedKeysAndTypedFields) {
  EXPECT_EQ(FormatJson(At("replica started", {{"agent", "default/echo"},
                                              {"replicas", 3},
                                              {"big", std::numeric_limits<uint64_t>::max()},
                                              {"ratio", 0.5},
                                              {"ready", true},
                                              {"wait", std::chrono::milliseconds(1500)}})),
            R"({"ts":"2026-11-24T20:15:00.123456Z","level":"info","msg":"replica started",)"
            R"("component":"gateway","caller":"gateway/main.cc:7","agent":"default/echo",)"
            R"("replicas":3,"big":18446744073709551615,"ratio":0.5,"ready":true,"wait":1.5})");
}

TEST(FormatTest, AFieldNeverTakesAFixedKey) {
  const std::string line = FormatJson(At("x", {{"msg", "y"}, {"level", 1}}));
  EXPECT_NE(line.find(R"("msg_":"y","level_":1)"), std::string::npos) << line;
}

TEST(FormatTest, NumbersThatJsonLacksAreText) {
  const std::string line = FormatJson(At("x", {{"a", std::numeric_limits<double>::quiet_NaN()},
                                               {"b", -std::numeric_limits<double>::infinity()}}));
  EXPECT_NE(line.find(R"("a":"NaN","b":"-Infinity")"), std::string::npos) << line;
}

TEST(FormatTest, ATextLineQuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(FormatText(At("replica started", {{"agent", "default/echo"},
                                              {"why", "two words"},
                                              {"empty", ""},
                                              {"lines", "a\nb"},
                                              {"replicas", 3}}),
                       false),
            "20:15:00.123 INFO  gateway: replica started agent=default/echo why=\"two words\" "
            "empty=\"\" lines=\"a\\nb\" replicas=3");
}

}  // namespace
}  // namespace krypton::log
