#include "gateway/trusted_proxies.h"

#include <gtest/gtest.h>

namespace krypton::gateway {
namespace {

TEST(TrustedProxiesTest, Networks) {
  const auto proxies = TrustedProxies::Parse({"10.0.0.0/8", "192.0.2.7", "fd00::/9"});
  ASSERT_TRUE(proxies.ok()) << proxies.status();
  EXPECT_TRUE(proxies->Contains("10.255.0.1"));
  EXPECT_FALSE(proxies->Contains("11.0.0.1"));
  EXPECT_TRUE(proxies->Contains("192.0.2.7"));
  EXPECT_FALSE(proxies->Contains("192.0.2.6"));
  EXPECT_TRUE(proxies->Contains("fd7f::1"));
  EXPECT_FALSE(proxies->Contains("fd80::1"));
  EXPECT_TRUE(proxies->Contains("::ffff:10.0.0.1"));
  EXPECT_FALSE(proxies->Contains("unix"));
  EXPECT_FALSE(TrustedProxies().Contains("10.0.0.1"));
}

TEST(TrustedProxiesTest, WrongOnesAreNamed) {
  for (const char* wrong :
       {"10.0.0.0/33", "10.0.0/8", "x", "", "10.0.0.0/", "::/129", "1.2.3.4/8x"}) {
    const auto proxies = TrustedProxies::Parse({wrong});
    ASSERT_FALSE(proxies.ok()) << wrong;
    EXPECT_NE(proxies.status().message().find(wrong), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace krypton::gateway
