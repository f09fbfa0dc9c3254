// Registry entries for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/registry/client.h"
#include "common/resource/key.h"

namespace krypton::controlplane::testing {

inline registry::EntryPtr AgentEntry(const std::string& name_space, const std::string& name,
                                     int replicas = 0) {
  auto entry = std::make_shared<v1::RegistryEntry>();
  *entry->mutable_key() = resource::AgentKey(name_space, name);
  v1::Agent& agent = *entry->mutable_agent();
  agent.mutable_metadata()->set_namespace_(name_space);
  agent.mutable_metadata()->set_name(name);
  agent.mutable_spec()->set_protocol(v1::AGENT_PROTOCOL_A2A);
  agent.mutable_spec()->set_image("registry.example/" + name);
  agent.mutable_status()->set_replicas(replicas);
  agent.mutable_status()->set_ready_replicas(replicas);
  agent.mutable_status()->set_desired_replicas(replicas);
  return entry;
}

inline registry::EntryPtr ModelEntry(const std::string& name_space, const std::string& name) {
  auto entry = std::make_shared<v1::RegistryEntry>();
  *entry->mutable_key() = resource::ModelKey(name_space, name);
  v1::Model& model = *entry->mutable_model();
  model.mutable_metadata()->set_namespace_(name_space);
  model.mutable_metadata()->set_name(name);
  model.mutable_spec()->mutable_source()->set_huggingface("ggml-org/" + name);
  return entry;
}

inline registry::Change Added(std::vector<registry::EntryPtr> entries) {
  registry::Change change;
  change.entries = std::move(entries);
  return change;
}

inline registry::Change Removed(const v1::ResourceKey& key) {
  registry::Change change;
  change.removed = {key};
  return change;
}

}  // namespace krypton::controlplane::testing
