#include "common/resource/key.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::resource {
namespace {

TEST(KeyTest, TextForms) {
  EXPECT_EQ(ToString(AgentKey("default", "echo")), "default/echo");
  EXPECT_EQ(Describe(AgentKey("default", "echo")), "agent \"default/echo\"");
  EXPECT_EQ(Describe(ModelKey("team-a", "gemma")), "model \"team-a/gemma\"");
}

TEST(KeyTest, ParseTakesBothForms) {
  EXPECT_TRUE(KeyEqual()(*ParseKey(v1::RESOURCE_KIND_AGENT, "a/b"), AgentKey("a", "b")));
  EXPECT_TRUE(KeyEqual()(*ParseKey(v1::RESOURCE_KIND_MODEL, "b"), ModelKey("default", "b")));
  for (const char* wrong : {"", "/", "a/", "/a", "a/b/c", "A/b", "a_b", "-a", "a-"}) {
    EXPECT_FALSE(ParseKey(v1::RESOURCE_KIND_AGENT, wrong).ok()) << wrong;
  }
}

TEST(KeyTest, DnsLabels) {
  EXPECT_TRUE(IsDnsLabel("a"));
  EXPECT_TRUE(IsDnsLabel("0-9"));
  EXPECT_TRUE(IsDnsLabel(std::string(63, 'a')));
  EXPECT_FALSE(IsDnsLabel(std::string(64, 'a')));
  EXPECT_FALSE(IsDnsLabel("a.b"));
  EXPECT_FALSE(IsDnsLabel("\xc3\xa4"));
}

TEST(KeyTest, ShardNeverChanges) {
  // The value itself is a contract between processes of different versions.
  EXPECT_EQ(ShardOf(AgentKey("default", "echo")), 0x2435d3fau);
  EXPECT_EQ(ShardOf(AgentKey("default", "echo")), ShardOf(ModelKey("default", "echo")));
}

TEST(KeyTest, KeysOfAMap) {
  KeyMap<int> map;
  map[AgentKey("default", "echo")] = 1;
  map[ModelKey("default", "echo")] = 2;
  map[AgentKey("default", "echo")] = 3;
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map[AgentKey("default", "echo")], 3);
  EXPECT_TRUE(KeyLess()(AgentKey("z", "z"), ModelKey("a", "a")));
  EXPECT_TRUE(KeyLess()(AgentKey("a", "z"), AgentKey("b", "a")));
}

}  // namespace
}  // namespace krypton::resource
