#include "manager/platform/kubernetes/objects/pod_info.h"

#include <array>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/address.h"
#include "common/config/utf8.h"
#include "common/resource/key.h"
#include "google/protobuf/util/time_util.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

constexpr size_t kMaxMessage = 512;

struct Trouble {
  std::string reason;
  std::string message;
};

// The kubelet's reasons for a container that waits, and what they are to us.
struct WaitingReason {
  std::string_view kubelet;
  std::string_view ours;
  std::string_view text;
};
constexpr std::array<WaitingReason, 10> kWaiting = {{
    {"ErrImagePull", "ImagePullFailed", "cannot be pulled"},
    {"ImagePullBackOff", "ImagePullFailed", "cannot be pulled"},
    {"ErrImageNeverPull", "ImagePullFailed", "is not on the node and may not be pulled"},
    {"InvalidImageName", "ImagePullFailed", "is no image's name"},
    {"ErrImageInspect", "ImagePullFailed", "cannot be inspected"},
    {"CrashLoopBackOff", "CrashLooping", "ends again and again"},
    {"CreateContainerConfigError", "StartFailed", "cannot be configured"},
    {"CreateContainerError", "StartFailed", "cannot be made"},
    {"RunContainerError", "StartFailed", "cannot be run"},
    {"PostStartHookError", "StartFailed", "failed in its postStart hook"},
}};

std::string Cut(std::string text) {
  if (text.size() <= kMaxMessage) return text;
  return config::CutUtf8(std::move(text), kMaxMessage - 3) + "...";
}

void AppendDetail(std::string detail, std::string* text) {
  while (!detail.empty() && (detail.back() == '\n' || detail.back() == ' ')) detail.pop_back();
  if (!detail.empty()) absl::StrAppend(text, ": ", detail);
}

// "exited with status 3: its last words".
std::string HowItEnded(const json::object& terminated) {
  std::string text;
  if (const int64_t signal = FindInt(terminated, {"signal"}); signal != 0) {
    text = absl::StrCat("was ended by signal ", signal);
  } else {
    text = absl::StrCat("exited with status ", FindInt(terminated, {"exitCode"}));
  }
  const std::string reason = FindString(terminated, {"reason"});
  if (reason == "OOMKilled") text += ", out of memory";
  AppendDetail(FindString(terminated, {"message"}), &text);
  return text;
}

std::optional<Trouble> OfWaiting(const json::object& status, std::string_view what) {
  const std::string reason = FindString(status, {"state", "waiting", "reason"});
  for (const WaitingReason& known : kWaiting) {
    if (known.kubelet != reason) continue;
    std::string text = known.ours == "ImagePullFailed"
                           ? absl::StrCat("image ", FindString(status, {"image"}))
                           : std::string(what);
    absl::StrAppend(&text, " ", std::string(known.text));
    const json::object* last = FindObject(status, {"lastState", "terminated"});
    if (known.ours == "CrashLooping" && last != nullptr) {
      absl::StrAppend(&text, ": it ", HowItEnded(*last));
    } else {
      AppendDetail(FindString(status, {"state", "waiting", "message"}), &text);
    }
    return Trouble{std::string(known.ours), Cut(std::move(text))};
  }
  return std::nullopt;
}

std::optional<Trouble> OfContainer(const json::object& status, std::string_view what) {
  if (auto waiting = OfWaiting(status, what)) return waiting;
  if (const json::object* terminated = FindObject(status, {"state", "terminated"})) {
    return Trouble{"CrashLooping",
                   Cut(absl::StrCat(std::string(what), " ", HowItEnded(*terminated)))};
  }
  return std::nullopt;
}

// The condition of this type when its status is `status`.
const json::object* ConditionOf(const json::object& pod, std::string_view type,
                                std::string_view status) {
  const json::array* conditions = FindArray(pod, {"status", "conditions"});
  if (conditions == nullptr) return nullptr;
  for (const json::value& item : *conditions) {
    const json::object* condition = item.if_object();
    if (condition != nullptr && FindString(*condition, {"type"}) == type &&
        FindString(*condition, {"status"}) == status) {
      return condition;
    }
  }
  return nullptr;
}

const json::object* ContainerStatus(const json::object& pod, std::string_view list,
                                    std::string_view name) {
  const json::array* statuses = FindArray(pod, {"status", list});
  if (statuses == nullptr) return nullptr;
  for (const json::value& item : *statuses) {
    if (item.is_object() && FindString(item.get_object(), {"name"}) == name) {
      return &item.get_object();
    }
  }
  return nullptr;
}

// Of the pods of a node that it does not hear of the node controller turns Ready, and nothing else,
// to False. The kubelet does so with a reason (ContainersNotReady, ReadinessGatesNotReady, ...).
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/util/node/controller_utils.go
bool IsUnheard(const json::object& pod) {
  const json::object* not_ready = ConditionOf(pod, "Ready", "False");
  return not_ready != nullptr && FindString(*not_ready, {"reason"}).empty() &&
         ConditionOf(pod, "ContainersReady", "True") != nullptr &&
         FindString(pod, {"status", "phase"}) == "Running";
}

void ReadTrouble(const json::object& pod, PodInfo* info) {
  const auto set = [info](Trouble trouble, bool failed) {
    info->trouble = std::move(trouble.reason);
    info->message = std::move(trouble.message);
    info->failed = failed;
  };
  const std::string phase = FindString(pod, {"status", "phase"});
  if (phase == "Failed" || phase == "Succeeded") {
    std::string text = absl::StrCat("the pod is over");
    AppendDetail(FindString(pod, {"status", "reason"}), &text);
    AppendDetail(FindString(pod, {"status", "message"}), &text);
    return set({kPodOver, Cut(std::move(text))}, true);
  }
  if (const json::object* agent = ContainerStatus(pod, "containerStatuses", "agent")) {
    info->restarts = static_cast<int>(FindInt(*agent, {"restartCount"}));
    if (auto trouble = OfContainer(*agent, "the agent")) return set(*std::move(trouble), true);
  }
  if (const json::object* proxy = ContainerStatus(pod, "initContainerStatuses", "krypton-proxy")) {
    if (auto trouble = OfContainer(*proxy, "the sidecar")) return set(*std::move(trouble), true);
  }
  if (const json::object* scheduled = ConditionOf(pod, "PodScheduled", "False")) {
    std::string text = "no node takes the pod";
    AppendDetail(FindString(*scheduled, {"message"}), &text);
    set({"Unschedulable", Cut(std::move(text))}, false);
  }
}

}  // namespace

bool PodInfo::operator==(const PodInfo& other) const {
  const auto tie = [](const PodInfo& p) {
    return std::tie(p.name, p.uid, p.ip, p.pod_template, p.ready, p.unheard, p.deleting, p.marked,
                    p.start_time, p.restarts, p.trouble, p.message, p.failed, p.silent);
  };
  return tie(*this) == tie(other) && resource::KeyEqual()(key, other.key);
}

std::optional<PodInfo> ReadPod(const json::object& pod) {
  PodInfo info;
  const json::object* labels = FindObject(pod, {"metadata", "labels"});
  if (labels == nullptr) return std::nullopt;
  const std::string agent = FindString(*labels, {kAgentLabel});
  const std::string model = FindString(*labels, {kModelLabel});
  if (agent.empty() == model.empty()) return std::nullopt;
  const std::string name_space = FindString(pod, {"metadata", "namespace"});
  info.key =
      agent.empty() ? resource::ModelKey(name_space, model) : resource::AgentKey(name_space, agent);
  info.name = FindString(pod, {"metadata", "name"});
  info.uid = FindString(pod, {"metadata", "uid"});
  info.ip = FindString(pod, {"status", "podIP"});
  info.pod_template = FindString(pod, {"metadata", "annotations", kTemplateAnnotation});
  info.marked = FindString(pod, {"metadata", "annotations", kDeletionCostAnnotation}) == kIdleCost;
  info.deleting = Find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
  info.ready = ConditionOf(pod, "Ready", "True") != nullptr;
  info.unheard = IsUnheard(pod);
  google::protobuf::Timestamp created;
  if (google::protobuf::util::TimeUtil::FromString(
          FindString(pod, {"metadata", "creationTimestamp"}), &created)) {
    info.start_time =
        std::chrono::system_clock::time_point(std::chrono::seconds(created.seconds()));
  }
  ReadTrouble(pod, &info);
  return info;
}

platform::Replica ToReplica(const PodInfo& pod, int64_t generation, bool present) {
  platform::Replica replica;
  replica.instance = pod.uid;
  // Which one it was before does not matter, only that it is another.
  replica.generation = present ? generation : generation - 1;
  if (!pod.ip.empty()) replica.address = config::ToString({pod.ip, kProxyPort});
  replica.start_time = pod.start_time;
  replica.restarts = pod.restarts;
  replica.message = pod.message;
  replica.ref = pod.name;
  if (pod.deleting) {
    replica.phase = platform::ReplicaPhase::kDraining;
  } else if (pod.failed) {
    replica.phase = platform::ReplicaPhase::kFailed;
  } else if ((pod.ready || pod.unheard) && !pod.silent) {
    replica.phase = platform::ReplicaPhase::kRunning;
  }
  return replica;
}

}  // namespace krypton::kube
