#include "manager/platform/kubernetes/objects/names.h"

#include <gtest/gtest.h>

#include <string>

#include "common/resource/key.h"

namespace krypton::kube {
namespace {

using resource::AgentKey;
using resource::ModelKey;

TEST(NamesTest, FitWithinALabel) {
  EXPECT_EQ(FitName("echo", "-krypton-proxy"), "echo-krypton-proxy");
  EXPECT_EQ(FitName(std::string(49, 'a'), "-krypton-proxy").size(), 63u);
  const std::string longest(63, 'a');
  const std::string fitted = FitName(longest, "-krypton-proxy");
  EXPECT_EQ(fitted.size(), 63u);
  EXPECT_TRUE(resource::IsDnsLabel(fitted));
  EXPECT_NE(fitted, FitName(longest.substr(0, 62) + "b", "-krypton-proxy"));
  EXPECT_EQ(fitted, FitName(longest, "-krypton-proxy"));
}

TEST(NamesTest, AServicesNameBeginsWithALetter) {
  EXPECT_EQ(ServiceName(AgentKey("default", "echo")), "echo");
  EXPECT_EQ(ServiceName(AgentKey("default", "7zip")), "agent-7zip");
  EXPECT_EQ(ServiceName(ModelKey("default", "7b")), "model-7b");
  EXPECT_EQ(ServiceName(AgentKey("default", std::string(63, '7'))).size(), 63u);
}

TEST(NamesTest, SelectorsNameTheOwner) {
  EXPECT_EQ(SelectorOf(AgentKey("default", "echo")), "krypton.ai/agent=echo");
  EXPECT_EQ(SelectorOf(ModelKey("default", "gemma")), "krypton.ai/model=gemma");
  EXPECT_EQ(ManagedSelector(), "app.kubernetes.io/managed-by=krypton-runtime");
}

TEST(NamesTest, QueueKeysReadBack) {
  for (const auto& key : {AgentKey("default", "echo"), ModelKey("a", "b")}) {
    const auto read = ParseQueueKey(QueueKey(key));
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(resource::KeyEqual()(*read, key));
  }
  EXPECT_FALSE(ParseQueueKey("agent/default").has_value());
}

}  // namespace
}  // namespace krypton::kube
