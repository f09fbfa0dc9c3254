#include "cli/printable.h"

#include <gtest/gtest.h>

namespace krypton::cli {
namespace {

constexpr char kGone[] = "\xEF\xBF\xBD";

TEST(PrintableTest, TextStaysAsItIs) {
  for (const char* text : {"", "Gr\xc3\xbc\xc3\x9f dich\n\ttab", "\xe2\x80\x9cquoted\xe2\x80\x9d",
                           "\xf0\x9f\x98\x80", "\xc2\xa0\xc2\xbb"}) {
    EXPECT_EQ(Printable(text), text);
  }
  EXPECT_EQ(Printable("a\r\nb"), "a\nb");
}

TEST(PrintableTest, NothingCommandsTheTerminal) {
  const std::string gone = kGone;
  EXPECT_EQ(Printable("\x1b]52;c;cm0=\x07"), gone + "]52;c;cm0=" + gone);
  EXPECT_EQ(Printable("\x1b[2J\x7f\x08"), gone + "[2J" + gone + gone);
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J"),
            gone + "2J");
  EXPECT_EQ(Printable(std::string_view("\0\xc2", 2)), gone + "\xc2");
}

}  // namespace
}  // namespace krypton::cli
