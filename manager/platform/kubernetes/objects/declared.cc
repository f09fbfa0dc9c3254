#include "manager/platform/kubernetes/objects/declared.h"

#include <algorithm>
#include <array>
#include <utility>

#include "boost/json/serialize.hpp"
#include "common/resource/decode.h"
#include "common/resource/key.h"
#include "common/resource/rules.h"
#include "common/resource/words.h"
#include "common/resource/yaml_tree.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "manager/platform/kubernetes/objects/json.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;
using resource::YamlNode;
using resource::YamlNodePtr;

// kubectl's copy of the whole object, which nobody here reads.
constexpr char kLastApplied[] = "kubectl.kubernetes.io/last-applied-configuration";

YamlNodePtr ToTree(const json::value& value) {
  auto node = std::make_shared<YamlNode>();
  if (const json::object* object = value.if_object()) {
    node->type = YamlNode::Type::kMapping;
    for (const auto& [key, item] : *object) {
      if (std::string_view(key) == kLastApplied) continue;
      node->entries.push_back({std::string(key), 0, ToTree(item)});
    }
  } else if (const json::array* list = value.if_array()) {
    node->type = YamlNode::Type::kSequence;
    for (const json::value& item : *list) node->items.push_back(ToTree(item));
  } else if (!value.is_null()) {
    node->type = YamlNode::Type::kScalar;
    node->quoted = value.is_string();
    node->scalar = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  }
  return node;
}

// What a person declares: the spec, and of the metadata what is theirs.
YamlNodePtr DeclaredTree(const json::object& object) {
  json::object metadata;
  for (const char* name : {"name", "namespace", "labels", "annotations"}) {
    if (const json::value* found = Find(object, {"metadata", name})) metadata[name] = *found;
  }
  json::object declared{{"metadata", std::move(metadata)}};
  if (const json::value* spec = object.if_contains("spec")) declared["spec"] = *spec;
  return ToTree(declared);
}

bool ReadTime(const json::object& object, std::string_view key, google::protobuf::Timestamp* time) {
  const std::string text = FindString(object, {key});
  return !text.empty() && google::protobuf::util::TimeUtil::FromString(text, time);
}

v1::Condition ReadCondition(const json::object& object) {
  v1::Condition condition;
  condition.set_type(FindString(object, {"type"}));
  const std::string status = FindString(object, {"status"});
  condition.set_status(status == "True"    ? v1::CONDITION_STATUS_TRUE
                       : status == "False" ? v1::CONDITION_STATUS_FALSE
                                           : v1::CONDITION_STATUS_UNKNOWN);
  condition.set_reason(FindString(object, {"reason"}));
  condition.set_message(FindString(object, {"message"}));
  condition.set_observed_generation(FindInt(object, {"observedGeneration"}));
  ReadTime(object, "lastTransitionTime", condition.mutable_last_transition_time());
  return condition;
}

template <typename Phase, typename Status>
void ReadStatus(const json::object& object, Status* status) {
  const json::object* found = FindObject(object, {"status"});
  if (found == nullptr) return;
  if (const auto phase = resource::FromWord<Phase>(FindString(*found, {"phase"}))) {
    status->set_phase(*phase);
  }
  status->set_replicas(static_cast<int>(FindInt(*found, {"replicas"})));
  status->set_ready_replicas(static_cast<int>(FindInt(*found, {"readyReplicas"})));
  status->set_desired_replicas(static_cast<int>(FindInt(*found, {"desiredReplicas"})));
  status->set_url(FindString(*found, {"url"}));
  status->set_observed_generation(FindInt(*found, {"observedGeneration"}));
  status->set_selector(FindString(*found, {"selector"}));
  if (const json::array* conditions = FindArray(*found, {"conditions"})) {
    for (const json::value& condition : *conditions) {
      if (condition.is_object()) *status->add_conditions() = ReadCondition(condition.get_object());
    }
  }
}

void ReadStatus(const json::object& object, v1::Agent* agent) {
  ReadStatus<v1::AgentPhase>(object, agent->mutable_status());
  google::protobuf::Timestamp time;
  const json::object* status = FindObject(object, {"status"});
  if (status != nullptr && ReadTime(*status, "lastInvocationAt", &time)) {
    *agent->mutable_status()->mutable_last_invocation_at() = time;
  }
}

void ReadStatus(const json::object& object, v1::Model* model) {
  ReadStatus<v1::ModelPhase>(object, model->mutable_status());
}

void ReadServersMetadata(const json::object& object, const Declared& declared,
                         v1::ObjectMeta* metadata) {
  metadata->set_uid(declared.uid);
  metadata->set_generation(declared.generation);
  if (const json::object* from = FindObject(object, {"metadata"})) {
    ReadTime(*from, "creationTimestamp", metadata->mutable_creation_timestamp());
  }
}

template <typename T>
void ReadTyped(const json::object& object, Declared* declared) {
  T read;
  const auto problem = [&](const std::string& field, const std::string& text) {
    v1::ManifestProblem& added = declared->problems.emplace_back();
    *added.mutable_key() = declared->key;
    added.set_field(field);
    added.set_reason(resource::Describe(declared->key) + ": " +
                     (field.empty() ? text : field + " " + text));
  };
  const resource::Decoded decoded = resource::DecodeResource(*DeclaredTree(object), &read);
  for (const auto& found : decoded.problems) problem(found.field, found.text);
  resource::SetDefaults(&read);
  for (const auto& violation : resource::Validate(resource::Subject(read))) {
    problem(violation.field, violation.text);
  }
  ReadStatus(object, &read);
  declared->status = read.status();
  if (!declared->problems.empty()) return;
  ReadServersMetadata(object, *declared, read.mutable_metadata());
  declared->resource = std::make_shared<const resource::Resource>(std::move(read));
}

}  // namespace

Declared ReadDeclared(v1::ResourceKind kind, const json::object& object) {
  Declared declared;
  declared.key.set_kind(kind);
  declared.key.set_namespace_(FindString(object, {"metadata", "namespace"}));
  declared.key.set_name(FindString(object, {"metadata", "name"}));
  declared.uid = FindString(object, {"metadata", "uid"});
  declared.generation = FindInt(object, {"metadata", "generation"});
  declared.deleting = Find(object, {"metadata", "deletionTimestamp"}) != nullptr;
  if (kind == v1::RESOURCE_KIND_MODEL) {
    ReadTyped<v1::Model>(object, &declared);
  } else {
    ReadTyped<v1::Agent>(object, &declared);
  }
  return declared;
}

bool SameButStatus(const Declared& a, const Declared& b) {
  using google::protobuf::util::MessageDifferencer;
  if (a.uid != b.uid || a.generation != b.generation || a.deleting != b.deleting) return false;
  if ((a.resource == nullptr) != (b.resource == nullptr)) return false;
  if (a.resource == nullptr) return true;
  return MessageDifferencer::Equals(a.resource->metadata(), b.resource->metadata());
}

}  // namespace krypton::kube
