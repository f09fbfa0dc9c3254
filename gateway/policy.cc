#include "gateway/policy.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace krypton::gateway {
namespace {

milliseconds OrElse(std::chrono::nanoseconds value, milliseconds otherwise) {
  return value > std::chrono::nanoseconds(0) ? std::chrono::ceil<milliseconds>(value) : otherwise;
}

}  // namespace

std::shared_ptr<const CallPolicy> PolicyOf(const resource::Resource& resource,
                                           milliseconds default_startup_timeout) {
  auto policy = std::make_shared<CallPolicy>();
  policy->timeout = OrElse(resource.timeout(), policy->timeout);
  policy->startup_timeout = OrElse(resource.startup_timeout(), default_startup_timeout);
  policy->max_streams = resource.max_streams();
  policy->generation = resource.generation();
  if (const v1::Agent* agent = resource.agent()) {
    const v1::AgentSpec& spec = agent->spec();
    if (spec.host_header() == v1::HOST_HEADER_AGENT) {
      policy->host = absl::StrCat("localhost:", resource.port());
    }
    if (!spec.invocation_path().empty()) policy->invocation_path = spec.invocation_path();
    policy->affinity_header = absl::AsciiStrToLower(spec.affinity().header());
    policy->is_a2a = spec.protocol() == v1::AGENT_PROTOCOL_A2A;
  }
  return policy;
}

}  // namespace krypton::gateway
