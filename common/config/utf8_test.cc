#include "common/config/utf8.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

TEST(Utf8Test, EachByteThatIsNoTextIsReplaced) {
  EXPECT_EQ(ToUtf8("na\xc3\xafve"), "na\xc3\xafve");
  EXPECT_EQ(ToUtf8("a\xff\xc3z"), "a\xef\xbf\xbd\xef\xbf\xbdz");
  EXPECT_EQ(ToUtf8("\xff"), "\xef\xbf\xbd");
}

TEST(Utf8Test, CharactersAreCounted) {
  const std::string_view text = "a\xe2\x82\xac\xc3\xafz";
  EXPECT_EQ(CountCharacters(text), 4u);
  EXPECT_EQ(CountCharacters(""), 0u);
  EXPECT_EQ(OffsetOfCharacter(text, 0), 0u);
  EXPECT_EQ(OffsetOfCharacter(text, 1), 1u);
  EXPECT_EQ(OffsetOfCharacter(text, 2), 4u);
  EXPECT_EQ(OffsetOfCharacter(text, 3), 6u);
  EXPECT_EQ(OffsetOfCharacter(text, 4), text.size());
  EXPECT_EQ(OffsetOfCharacter(text, 99), text.size());
}

TEST(Utf8Test, ACutIsNeverWithinACharacter) {
  const std::string text =
      "a\xe2\x82\xac"
      "b";
  EXPECT_EQ(CutUtf8(text, 5), text);
  EXPECT_EQ(CutUtf8(text, 4), "a\xe2\x82\xac");
  EXPECT_EQ(CutUtf8(text, 3), "a");
  EXPECT_EQ(CutUtf8(text, 1), "a");
  EXPECT_EQ(CutUtf8(text, 0), "");
}

}  // namespace
}  // namespace krypton::config
