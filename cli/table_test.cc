#include "cli/table.h"

#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include "common/config/utf8.h"

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

TEST(WrapTest, BreaksAtBlanksAndIndentsWhatFollows) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(Wrap("short", 20, 3), Lines{"short"});
  EXPECT_EQ(Wrap("", 20, 3), Lines{""});
  EXPECT_EQ(Wrap("one two three four five six", 14, 3),
            (Lines{"one two three", "    four five", "    six"}));
  EXPECT_EQ(Wrap("abcdefghijklmnopqrstuvwxyz", 14, 3),
            (Lines{"abcdefghijklmn", "    opqrstuvwx", "    yz"}));
  // Characters, not bytes.
  EXPECT_EQ(Wrap("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 2, 9),
            (Lines{"\xc3\xa4\xc3\xb6", "\xc3\xbc\xc3\x9f"}));
}

TEST(WrapTest, OfWhatIsTooLongTheMiddleIsLeftOut) {
  const std::string text =
      "the agent exited with status 1: " + std::string(200, 'x') + " Address already in use";
  const std::vector<std::string> lines = Wrap(text, 40, 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].starts_with("the agent exited with status 1:")) << lines[0];
  EXPECT_EQ(lines[1].substr(0, 10), "    [...] ");
  EXPECT_TRUE(lines[1].ends_with(" Address already in use")) << lines[1];
  EXPECT_EQ(config::CountCharacters(lines[1]), 40u);
}

}  // namespace
}  // namespace krypton::cli
