#include "controlplane/explain.h"

#include <google/protobuf/util/time_util.h>

#include "absl/strings/str_cat.h"
#include "common/resource/key.h"

namespace krypton::controlplane {
namespace {

using google::protobuf::util::TimeUtil;

// The figures that an agent's and a model's status share.
struct Figures {
  int replicas;
  int ready;
  int desired;
};

Figures FiguresOf(const v1::RegistryEntry& entry) {
  if (entry.has_model()) {
    const v1::ModelStatus& status = entry.model().status();
    return {status.replicas(), status.ready_replicas(), status.desired_replicas()};
  }
  const v1::AgentStatus& status = entry.agent().status();
  return {status.replicas(), status.ready_replicas(), status.desired_replicas()};
}

std::string Count(int replicas) {
  return absl::StrCat(replicas, replicas == 1 ? " replica" : " replicas");
}

std::string Now(const v1::RegistryEntry& entry) {
  const Figures figures = FiguresOf(entry);
  const std::string who = resource::Describe(entry.key());
  if (figures.replicas == 0 && figures.desired == 0) {
    return absl::StrCat(who, " sleeps: no replica runs, and none is wanted.");
  }
  std::string text =
      absl::StrCat(who, " has ", Count(figures.replicas), ", ", figures.ready, " ready");
  if (figures.desired != figures.replicas) absl::StrAppend(&text, ", and wants ", figures.desired);
  return absl::StrCat(text, ".");
}

// `3 s`, `5 min`, `2 h`.
std::string Ago(const google::protobuf::Timestamp& time,
                std::chrono::system_clock::time_point now) {
  const int64_t now_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const int64_t seconds = std::max<int64_t>(0, now_seconds - time.seconds());
  if (seconds < 120) return absl::StrCat(seconds, " s ago");
  if (seconds < 7200) return absl::StrCat(seconds / 60, " min ago");
  return absl::StrCat(seconds / 3600, " h ago");
}

std::string Last(const v1::DecisionRecord& record, std::chrono::system_clock::time_point now) {
  const v1::ScalingDecision& decision = record.decision();
  std::string text = absl::StrCat(Ago(decision.time(), now), " the scaler ",
                                  record.refused() ? "wanted to go" : "went", " from ",
                                  decision.previous(), " to ", Count(decision.desired()));
  if (!decision.reason().empty()) absl::StrAppend(&text, ": ", decision.reason());
  absl::StrAppend(&text, ".");
  if (record.refused()) {
    absl::StrAppend(&text, " The manager refused: ", record.refusal(), ".");
  }
  return text;
}

// What keeps it from being available, as the manager says it.
std::string Obstacle(const v1::RegistryEntry& entry) {
  const auto& conditions =
      entry.has_model() ? entry.model().status().conditions() : entry.agent().status().conditions();
  for (const v1::Condition& condition : conditions) {
    if (condition.status() == v1::CONDITION_STATUS_FALSE && !condition.message().empty()) {
      return absl::StrCat(condition.reason(), ": ", condition.message());
    }
  }
  return "";
}

}  // namespace

std::string Summarize(const v1::RegistryEntry& entry,
                      const google::protobuf::RepeatedPtrField<v1::DecisionRecord>& decisions,
                      std::chrono::system_clock::time_point now) {
  std::string text = Now(entry);
  if (decisions.empty()) {
    absl::StrAppend(&text, " The scaler has changed nothing since the manager started.");
  } else {
    absl::StrAppend(&text, " ", Last(decisions[0], now));
  }
  const std::string obstacle = Obstacle(entry);
  if (!obstacle.empty()) absl::StrAppend(&text, " ", obstacle);
  return text;
}

}  // namespace krypton::controlplane
