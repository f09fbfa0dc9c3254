#include "common/config/address.h"

#include <gtest/gtest.h>

namespace krypton::config {
namespace {

TEST(AddressTest, ReadsWhatFlagsWrite) {
  EXPECT_EQ(*ParseHostPort("127.0.0.1:80"), (HostPort{"127.0.0.1", 80}));
  EXPECT_EQ(*ParseHostPort(":8080"), (HostPort{"", 8080}));
  EXPECT_EQ(*ParseHostPort("[::1]:1"), (HostPort{"::1", 1}));
  EXPECT_EQ(*ParseHostPort("example.com:65535"), (HostPort{"example.com", 65535}));
  EXPECT_EQ(*ParseHostPort("127.0.0.1:0"), (HostPort{"127.0.0.1", 0}));
}

TEST(AddressTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "80", "host", "host:", "host:65536", "host:-1", "host:8x", "::1:80",
                           "[::1]", "[host]:1", "http://a:1", "a b:1", "host:+1", "host: 1"}) {
    EXPECT_FALSE(ParseHostPort(text).ok()) << text;
  }
}

TEST(AddressTest, IsWrittenAsItIsRead) {
  for (const char* text : {"127.0.0.1:80", ":8080", "[::1]:1", "example.com:65535"}) {
    EXPECT_EQ(ToString(*ParseHostPort(text)), text);
  }
}

TEST(AddressTest, AllInterfacesAreReachableOnLoopback) {
  EXPECT_EQ(ToString(Reachable({"", 1})), "127.0.0.1:1");
  EXPECT_EQ(ToString(Reachable({"::", 1})), "127.0.0.1:1");
  EXPECT_EQ(ToString(Reachable({"0.0.0.0", 1})), "127.0.0.1:1");
  EXPECT_EQ(ToString(Reachable({"10.0.0.1", 1})), "10.0.0.1:1");
}

}  // namespace
}  // namespace krypton::config
