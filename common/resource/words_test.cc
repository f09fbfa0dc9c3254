#include "common/resource/words.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "krypton/v1/agent.pb.h"
#include "krypton/v1/model.pb.h"
#include "krypton/v1/registry.pb.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {
namespace {

TEST(WordsTest, EveryValueHasOneWordAndBack) {
  const google::protobuf::EnumDescriptor* types[] = {
      v1::ResourceKind_descriptor(),   v1::AgentProtocol_descriptor(),
      v1::ScalingMode_descriptor(),    v1::HostHeader_descriptor(),
      v1::ModelUsage_descriptor(),     v1::AgentPhase_descriptor(),
      v1::ModelPhase_descriptor(),     v1::EndpointState_descriptor(),
      v1::ConditionStatus_descriptor()};
  for (const auto* type : types) {
    EXPECT_EQ(Word(*type, 0), "") << type->full_name();
    EXPECT_EQ(WordsOf(*type).size(), static_cast<size_t>(type->value_count() - 1));
    for (int i = 1; i < type->value_count(); ++i) {
      const std::string_view word = Word(*type, type->value(i)->number());
      EXPECT_NE(word, "") << type->value(i)->full_name();
      EXPECT_EQ(NumberOf(*type, word), type->value(i)->number()) << word;
    }
  }
}

TEST(WordsTest, TypedForms) {
  EXPECT_EQ(Word(v1::SCALING_MODE_ALWAYS_ON), "always-on");
  EXPECT_EQ(FromWord<v1::AgentProtocol>("mcp"), v1::AGENT_PROTOCOL_MCP);
  EXPECT_EQ(FromWord<v1::AgentProtocol>("MCP"), std::nullopt);
  EXPECT_EQ(FromWord<v1::AgentProtocol>(""), std::nullopt);
}

}  // namespace
}  // namespace krypton::resource
