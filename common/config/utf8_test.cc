#include "common/config/utf8.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

TEST(Utf8Test, EachByteThatIsNoTextIsReplaced) {
  EXPECT_EQ(ToUtf8("na\xc3\xafve"), "na\xc3\xafve");
  EXPECT_EQ(ToUtf8("a\xff\xc3z"), "a\xef\xbf\xbd\xef\xbf\xbdz");
  EXPECT_EQ(ToUtf8("\xff"), "\xef\xbf\xbd");
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
