#include "cli/rows.h"

#include <algorithm>

#include "cli/table.h"
#include "common/resource/words.h"

namespace krypton::cli {
namespace {

template <typename Enum>
std::string WordOr(Enum value, const char* otherwise) {
  const std::string_view word = resource::Word(value);
  return word.empty() ? otherwise : std::string(word);
}

// Of a model: where its weights come from.
std::string Source(const v1::ModelSource& source) {
  if (!source.path().empty()) return source.path();
  return source.file().empty() ? source.huggingface() : source.huggingface() + "/" + source.file();
}

const char* State(v1::EndpointState state) {
  switch (state) {
    case v1::ENDPOINT_STATE_STARTING:
      return "Starting";
    case v1::ENDPOINT_STATE_READY:
      return "Ready";
    case v1::ENDPOINT_STATE_DRAINING:
      return "Draining";
    default:
      return "Unknown";
  }
}

const char* KindOf(const v1::ResourceKey& key) {
  return key.kind() == v1::RESOURCE_KIND_MODEL ? "model" : "agent";
}

template <typename Status>
std::string FalseAvailable(const Status& status) {
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() != "Available" || condition.status() != v1::CONDITION_STATUS_FALSE)
      continue;
    return condition.reason() == "WaitingForPods" ? condition.message()
                                                  : condition.reason() + ": " + condition.message();
  }
  return "";
}

std::string OrNone(const std::string& text) { return text.empty() ? "<none>" : text; }

}  // namespace

Row AgentHeader() {
  return {"NAMESPACE", "NAME", "PROTOCOL", "MODE", "REPLICAS", "PHASE", "AGE", "URL"};
}

Row ModelHeader() {
  return {"NAMESPACE", "NAME", "SOURCE", "MODE", "REPLICAS", "PHASE", "AGE", "URL"};
}

Row EndpointHeader() {
  return {"NAMESPACE", "NAME", "KIND", "INSTANCE", "ADDRESS", "STATE", "GENERATION", "PID", "AGE"};
}

Row ToRow(const v1::Agent& agent, TimePoint now) {
  const auto& status = agent.status();
  return {agent.metadata().namespace_(),
          agent.metadata().name(),
          WordOr(agent.spec().protocol(), "<unset>"),
          WordOr(agent.spec().mode(), "<unset>"),
          Replicas(status.ready_replicas(), status.replicas(), status.desired_replicas()),
          WordOr(status.phase(), "Unknown"),
          AgeSince(agent.metadata().creation_timestamp(), now),
          OrNone(status.url())};
}

Row ToRow(const v1::Model& model, TimePoint now) {
  const auto& status = model.status();
  return {model.metadata().namespace_(),
          model.metadata().name(),
          Source(model.spec().source()),
          WordOr(model.spec().mode(), "<unset>"),
          Replicas(status.ready_replicas(), status.replicas(), status.desired_replicas()),
          WordOr(status.phase(), "Unknown"),
          AgeSince(model.metadata().creation_timestamp(), now),
          OrNone(status.url())};
}

Row ToRow(const v1::EndpointItem& item, TimePoint now) {
  const auto& endpoint = item.endpoint();
  return {item.key().namespace_(),
          item.key().name(),
          KindOf(item.key()),
          endpoint.instance(),
          OrNone(endpoint.address()),
          State(endpoint.state()),
          std::to_string(endpoint.generation()),
          OrNone(endpoint.platform_ref()),
          AgeSince(endpoint.start_time(), now)};
}

std::string TroubleOf(const v1::Agent& agent) {
  if (agent.status().phase() != v1::AGENT_PHASE_FAILED) return "";
  return FalseAvailable(agent.status());
}

std::string TroubleOf(const v1::Model& model) {
  if (model.status().phase() != v1::MODEL_PHASE_FAILED) return "";
  return FalseAvailable(model.status());
}

std::string TroubleOf(const v1::EndpointItem&) { return ""; }

std::string Replicas(int ready, int replicas, int desired) {
  return std::to_string(ready) + "/" + std::to_string(std::max(replicas, desired));
}

}  // namespace krypton::cli
