#include "common/resource/words.h"

#include "krypton/v1/agent.pb.h"
#include "krypton/v1/model.pb.h"
#include "krypton/v1/registry.pb.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {
namespace {

struct Row {
  std::string_view type;
  int number;
  std::string_view word;
};

constexpr Row kTable[] = {
    {"krypton.v1.ResourceKind", v1::RESOURCE_KIND_AGENT, "Agent"},
    {"krypton.v1.ResourceKind", v1::RESOURCE_KIND_MODEL, "Model"},
    {"krypton.v1.AgentProtocol", v1::AGENT_PROTOCOL_A2A, "a2a"},
    {"krypton.v1.AgentProtocol", v1::AGENT_PROTOCOL_MCP, "mcp"},
    {"krypton.v1.AgentProtocol", v1::AGENT_PROTOCOL_HTTP, "http"},
    {"krypton.v1.ScalingMode", v1::SCALING_MODE_ALWAYS_ON, "always-on"},
    {"krypton.v1.ScalingMode", v1::SCALING_MODE_SERVERLESS, "serverless"},
    {"krypton.v1.Scaler", v1::SCALER_KRYPTON, "krypton"},
    {"krypton.v1.Scaler", v1::SCALER_EXTERNAL, "external"},
    {"krypton.v1.HostHeader", v1::HOST_HEADER_PRESERVE, "preserve"},
    {"krypton.v1.HostHeader", v1::HOST_HEADER_AGENT, "agent"},
    {"krypton.v1.ModelUsage", v1::MODEL_USAGE_OBSERVE, "observe"},
    {"krypton.v1.ModelUsage", v1::MODEL_USAGE_ALWAYS, "always"},
    {"krypton.v1.AgentPhase", v1::AGENT_PHASE_PENDING, "Pending"},
    {"krypton.v1.AgentPhase", v1::AGENT_PHASE_READY, "Ready"},
    {"krypton.v1.AgentPhase", v1::AGENT_PHASE_SCALING, "Scaling"},
    {"krypton.v1.AgentPhase", v1::AGENT_PHASE_FAILED, "Failed"},
    {"krypton.v1.ModelPhase", v1::MODEL_PHASE_PENDING, "Pending"},
    {"krypton.v1.ModelPhase", v1::MODEL_PHASE_LOADING, "Loading"},
    {"krypton.v1.ModelPhase", v1::MODEL_PHASE_READY, "Ready"},
    {"krypton.v1.ModelPhase", v1::MODEL_PHASE_FAILED, "Failed"},
    {"krypton.v1.ConditionStatus", v1::CONDITION_STATUS_TRUE, "True"},
    {"krypton.v1.ConditionStatus", v1::CONDITION_STATUS_FALSE, "False"},
    {"krypton.v1.ConditionStatus", v1::CONDITION_STATUS_UNKNOWN, "Unknown"},
    {"krypton.v1.EndpointState", v1::ENDPOINT_STATE_STARTING, "Starting"},
    {"krypton.v1.EndpointState", v1::ENDPOINT_STATE_READY, "Ready"},
    {"krypton.v1.EndpointState", v1::ENDPOINT_STATE_DRAINING, "Draining"},
};

}  // namespace

std::string_view Word(const google::protobuf::EnumDescriptor& type, int number) {
  for (const Row& row : kTable) {
    if (row.number == number && row.type == type.full_name()) return row.word;
  }
  return {};
}

std::optional<int> NumberOf(const google::protobuf::EnumDescriptor& type, std::string_view word) {
  for (const Row& row : kTable) {
    if (row.word == word && row.type == type.full_name()) return row.number;
  }
  return std::nullopt;
}

std::vector<std::string_view> WordsOf(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string_view> words;
  for (const Row& row : kTable) {
    if (row.type == type.full_name()) words.push_back(row.word);
  }
  return words;
}

}  // namespace krypton::resource
