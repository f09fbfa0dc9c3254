#include "manager/platform/kubernetes/objects/status_object.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "common/resource/words.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// To the second, as Kubernetes' own are.
std::string Time(const google::protobuf::Timestamp& time) {
  google::protobuf::Timestamp whole;
  whole.set_seconds(time.seconds());
  return google::protobuf::util::TimeUtil::ToString(whole);
}

const char* Word(v1::ConditionStatus status) {
  switch (status) {
    case v1::CONDITION_STATUS_TRUE:
      return "True";
    case v1::CONDITION_STATUS_FALSE:
      return "False";
    default:
      return "Unknown";
  }
}

json::object ConditionObject(const v1::Condition& condition) {
  json::object object{{"type", condition.type()}, {"status", Word(condition.status())}};
  object["lastTransitionTime"] = Time(condition.last_transition_time());
  object["reason"] = condition.reason();
  object["message"] = condition.message();
  object["observedGeneration"] = condition.observed_generation();
  return object;
}

template <typename Status>
json::object Fields(const Status& status, const std::string& selector) {
  json::object fields;
  if (const auto phase = resource::Word(status.phase()); !phase.empty()) fields["phase"] = phase;
  fields["replicas"] = status.replicas();
  fields["readyReplicas"] = status.ready_replicas();
  fields["desiredReplicas"] = status.desired_replicas();
  if (!status.url().empty()) fields["url"] = status.url();
  if (status.observed_generation() > 0) fields["observedGeneration"] = status.observed_generation();
  fields["selector"] = selector;
  if constexpr (std::is_same_v<Status, v1::AgentStatus>) {
    if (status.has_last_invocation_at()) {
      fields["lastInvocationAt"] = Time(status.last_invocation_at());
    }
  }
  json::array conditions;
  for (const auto& condition : status.conditions())
    conditions.push_back(ConditionObject(condition));
  fields["conditions"] = std::move(conditions);
  return fields;
}

template <typename Status>
const v1::Condition* FindCondition(const Status& status, const std::string& type) {
  const auto found =
      std::find_if(status.conditions().begin(), status.conditions().end(),
                   [&](const v1::Condition& condition) { return condition.type() == type; });
  return found == status.conditions().end() ? nullptr : &*found;
}

// It keeps the time of its last transition from what is written already.
template <typename Status>
void SetCondition(const Status& written, v1::Condition condition,
                  std::chrono::system_clock::time_point now, Status* status) {
  const v1::Condition* before = FindCondition(written, condition.type());
  if (before != nullptr && before->status() == condition.status()) {
    *condition.mutable_last_transition_time() = before->last_transition_time();
  } else {
    condition.mutable_last_transition_time()->set_seconds(
        std::chrono::system_clock::to_time_t(now));
  }
  auto& conditions = *status->mutable_conditions();
  const auto slot =
      std::find_if(conditions.begin(), conditions.end(),
                   [&](const v1::Condition& other) { return other.type() == condition.type(); });
  (slot == conditions.end() ? *conditions.Add() : *slot) = std::move(condition);
}

std::string ProblemsOf(const Declared& declared) {
  std::string text;
  for (const v1::ManifestProblem& problem : declared.problems) {
    if (text.size() > 1000) return text + "; ...";
    if (!text.empty()) text += "; ";
    text += problem.reason();
  }
  return text;
}

// What is written to the second is compared to the second; the server has the conditions in an
// order of its own.
template <typename Status>
Status Rounded(Status status) {
  for (auto& condition : *status.mutable_conditions()) {
    condition.mutable_last_transition_time()->set_nanos(0);
  }
  std::sort(status.mutable_conditions()->begin(), status.mutable_conditions()->end(),
            [](const v1::Condition& a, const v1::Condition& b) { return a.type() < b.type(); });
  if constexpr (std::is_same_v<Status, v1::AgentStatus>) {
    if (status.has_last_invocation_at()) status.mutable_last_invocation_at()->set_nanos(0);
  }
  status.clear_selector();
  return status;
}

}  // namespace

json::object StatusObject(const Declared& declared, const platform::Status& status) {
  json::object object{{"apiVersion", kApiVersion}, {"kind", KindName(declared.key.kind())}};
  object["metadata"] = json::object{{"name", declared.key.name()},
                                    {"namespace", declared.key.namespace_()},
                                    {"uid", declared.uid}};
  object["status"] = std::visit(
      [&](const auto& fields) { return Fields(fields, SelectorOf(declared.key)); }, status);
  return object;
}

platform::Status RefusedStatus(const Declared& declared, const platform::Status& before,
                               std::chrono::system_clock::time_point now) {
  platform::Status status = before;
  v1::Condition condition;
  condition.set_status(v1::CONDITION_STATUS_FALSE);
  condition.set_reason("InvalidSpec");
  condition.set_message(ProblemsOf(declared));
  condition.set_observed_generation(declared.generation);
  std::visit(
      [&](auto& fields) {
        using Status = std::decay_t<decltype(fields)>;
        const auto* same_kind = std::get_if<Status>(&declared.status);
        const Status written = same_kind == nullptr ? Status() : *same_kind;
        for (const char* type : {"Accepted", "Ready"}) {
          condition.set_type(type);
          SetCondition(written, condition, now, &fields);
        }
        if (fields.observed_generation() != 0) return;
        // There is no good version that could run.
        condition.set_type("Available");
        SetCondition(written, condition, now, &fields);
        if constexpr (std::is_same_v<Status, v1::AgentStatus>) {
          fields.set_phase(v1::AGENT_PHASE_FAILED);
        } else {
          fields.set_phase(v1::MODEL_PHASE_FAILED);
        }
      },
      status);
  return status;
}

bool SameStatus(const platform::Status& a, const platform::Status& b) {
  using google::protobuf::util::MessageDifferencer;
  if (a.index() != b.index()) return false;
  if (const auto* agent = std::get_if<v1::AgentStatus>(&a)) {
    return MessageDifferencer::Equals(Rounded(*agent), Rounded(std::get<v1::AgentStatus>(b)));
  }
  return MessageDifferencer::Equals(Rounded(std::get<v1::ModelStatus>(a)),
                                    Rounded(std::get<v1::ModelStatus>(b)));
}

}  // namespace krypton::kube
