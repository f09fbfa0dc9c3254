#include "manager/platform/kubernetes/objects/child_info.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/json/serialize.hpp"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

std::string LiveText(const json::object& object) {
  json::object live;
  json::object metadata;
  for (const char* name : {"name", "namespace", "labels", "annotations", "ownerReferences"}) {
    if (const json::value* found = Find(object, {"metadata", name})) metadata[name] = *found;
  }
  for (const auto& [key, value] : object) {
    if (key == "metadata" || key == "status") continue;
    live[key] = value;
  }
  live["metadata"] = std::move(metadata);
  return json::serialize(live);
}

// With the reason in front, as the API server has it: `pods "..." is forbidden: violates ...`.
std::string FailureOf(const json::object& object) {
  const json::array* conditions = FindArray(object, {"status", "conditions"});
  if (conditions == nullptr) return "";
  for (const json::value& item : *conditions) {
    const json::object* condition = item.if_object();
    if (condition != nullptr && FindString(*condition, {"type"}) == "ReplicaFailure" &&
        FindString(*condition, {"status"}) == "True") {
      return FindString(*condition, {"message"});
    }
  }
  return "";
}

void ReadOwners(const json::object& object, ChildInfo* info) {
  const json::array* owners = FindArray(object, {"metadata", "ownerReferences"});
  if (owners == nullptr) return;
  for (const json::value& item : *owners) {
    if (!item.is_object()) continue;
    const json::object& owner = item.get_object();
    if (FindBool(owner, {"controller"})) info->owner_uid = FindString(owner, {"uid"});
    if (FindString(owner, {"kind"}) == "Secret") info->secret_uid = FindString(owner, {"uid"});
  }
}

}  // namespace

std::optional<ChildInfo> ReadChild(const json::object& object) {
  const json::object* labels = FindObject(object, {"metadata", "labels"});
  if (labels == nullptr) return std::nullopt;
  const std::string agent = FindString(*labels, {kAgentLabel});
  const std::string model = FindString(*labels, {kModelLabel});
  if (agent.empty() == model.empty()) return std::nullopt;
  ChildInfo info;
  const std::string name_space = FindString(object, {"metadata", "namespace"});
  info.key =
      agent.empty() ? resource::ModelKey(name_space, model) : resource::AgentKey(name_space, agent);
  info.name = FindString(object, {"metadata", "name"});
  info.uid = FindString(object, {"metadata", "uid"});
  info.deleting = Find(object, {"metadata", "deletionTimestamp"}) != nullptr;
  ReadOwners(object, &info);
  info.live = LiveText(object);
  info.replicas = static_cast<int>(FindInt(object, {"spec", "replicas"}));
  info.certificate = FindString(object, {"metadata", "annotations", kCertificateAnnotation});
  info.failure = FailureOf(object);
  return info;
}

bool SameChild(const ChildInfo& a, const ChildInfo& b) {
  return a.uid == b.uid && a.deleting == b.deleting && a.live == b.live && a.failure == b.failure;
}

}  // namespace krypton::kube
