#include "common/config/percent.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

TEST(PercentTest, WhatIsReservedIsEncoded) {
  EXPECT_EQ(EncodePercent("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(EncodePercent("a/b c%\xff"), "a%2Fb%20c%25%FF");
  EXPECT_EQ(EncodePercent("a/b", "/"), "a/b");
  EXPECT_EQ(EncodePercent(std::string_view("\0", 1)), "%00");
}

TEST(PercentTest, DecodesBothCasesOfDigits) {
  EXPECT_EQ(DecodePercent("%2f%2Fa+b"), "//a+b");
  EXPECT_EQ(DecodePercent("a+b%2B", true), "a b+");
  EXPECT_EQ(DecodePercent("%00"), std::string(1, '\0'));
  EXPECT_EQ(DecodePercent(""), "");
}

TEST(PercentTest, ABrokenEscapeIsNone) {
  for (const char* broken : {"%", "a%", "%2", "%2g", "%g2", "%%20", "% 20", "%+2", "%-2", "%0x"}) {
    EXPECT_EQ(DecodePercent(broken), std::nullopt) << broken;
  }
}

TEST(PercentTest, EachByteComesBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(DecodePercent(EncodePercent(all)), all);
  EXPECT_EQ(DecodePercent(EncodePercent(all), true), all);
}

}  // namespace
}  // namespace krypton::config
