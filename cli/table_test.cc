#include "cli/table.h"

#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

namespace krypton::cli {
namespace {

using namespace std::chrono_literals;

TEST(TableTest, ColumnsAreAlignedAndLinesEndWithoutBlanks) {
  Table table({"NAMESPACE", "NAME", "AGE"});
  table.Add({"default", "caf\u00e9", "5s"});
  table.Add({"a-longer-namespace", "x", ""});
  EXPECT_EQ(table.ToString(),
            "NAMESPACE            NAME   AGE\n"
            "default              caf\u00e9   5s\n"
            "a-longer-namespace   x\n");
}

TEST(TableTest, AWatchWidensAndNeverNarrows) {
  Table table({"NAME", "AGE"});
  EXPECT_EQ(table.Line({"a", "1s"}), "a      1s\n");
  EXPECT_EQ(table.Line({"abcdefg", "1s"}), "abcdefg   1s\n");
  EXPECT_EQ(table.Line({"a", "1s"}), "a         1s\n");
}

TEST(TableTest, AgesReadAsKubectlWritesThem) {
  const std::pair<std::chrono::seconds, const char*> rows[] = {
      {-5s, "0s"},           {45s, "45s"},        {119s, "119s"},
      {120s, "2m"},          {190s, "3m10s"},     {25min, "25m"},
      {5h + 12min, "5h12m"}, {30h, "30h"},        {24h * 3 + 4h, "3d4h"},
      {24h * 40, "40d"},     {24h * 740, "2y10d"}};
  for (const auto& [age, text] : rows) EXPECT_EQ(Age(age), text);
}

TEST(TableTest, AnUnsetTimeIsUnknown) {
  EXPECT_EQ(AgeSince({}, std::chrono::system_clock::now()), "<unknown>");
}

}  // namespace
}  // namespace krypton::cli
