#include "cli/why.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "cli/control_plane.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/yaml.h"
#include "common/config/flags.h"
#include "common/rpc/channel.h"
#include "common/transcode/json_printer.h"

namespace krypton::cli {
namespace {

std::string Number(double number) {
  char text[32];
  snprintf(text, sizeof text, "%.3g", number);
  return text;
}

// The rule's name without its prefix: "STABLE_WINDOW" -> "stable window".
std::string RuleName(v1::ScalingRule rule) {
  std::string name = v1::ScalingRule_Name(rule);
  const std::string prefix = "SCALING_RULE_";
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(std::tolower(c));
  return name;
}

Row DecisionRow(const v1::DecisionRecord& record, TimePoint now) {
  const v1::ScalingDecision& decision = record.decision();
  std::string reason = decision.reason();
  if (record.refused()) reason = "refused: " + record.refusal() + " (" + reason + ")";
  return {AgeSince(decision.time(), now),
          std::to_string(decision.previous()) + " -> " + std::to_string(decision.desired()),
          RuleName(decision.rule()),
          Number(decision.in_flight()) + "+" + Number(decision.waiting()),
          std::to_string(decision.min_replicas()) + ".." + std::to_string(decision.max_replicas()),
          reason};
}

using Decisions = google::protobuf::RepeatedPtrField<v1::DecisionRecord>;

// Those that followed one another and say the same are one row, with their number.
std::string DecisionTable(const Decisions& records, TimePoint now) {
  Table table({"AGO", "REPLICAS", "RULE", "IN FLIGHT+WAITING", "BOUNDS", "REASON"});
  for (int i = 0; i < records.size();) {
    Row row = DecisionRow(records[i], now);
    int times = 1;
    for (++i; i < records.size(); ++i, ++times) {
      const Row next = DecisionRow(records[i], now);
      // All but the age.
      if (!std::equal(next.begin() + 1, next.end(), row.begin() + 1)) break;
    }
    if (times > 1) row.back() += " (" + std::to_string(times) + " times)";
    table.Add(std::move(row));
  }
  return table.ToString();
}

// What an agent's and a model's status have in common is said alike.
template <typename Status, typename Explanation>
std::string InWords(const std::string& target, const Status& status, const Explanation& explanation,
                    TimePoint now) {
  const std::string ready = std::to_string(status.ready_replicas()) + " of " +
                            std::to_string(status.desired_replicas()) + " replicas ";
  // The summary begins with the numbers.
  std::string text =
      (explanation.summary().empty() ? target + ": " + ready + "ready" : explanation.summary()) +
      "\n";
  for (const v1::Condition& condition : status.conditions()) {
    // One cause often stands behind several of them, and in the summary.
    const bool cause_said =
        text.find(condition.message()) != text.npos || condition.message() == ready + "are ready";
    const bool reason_said = text.find(condition.reason()) != text.npos ||
                             condition.reason() == "Ready" || condition.reason() == "Settled";
    if (cause_said && reason_said) continue;
    text += "  " + condition.type() + ": " + condition.reason();
    if (!cause_said) text += " (" + condition.message() + ")";
    text += "\n";
  }
  if (explanation.decisions().empty()) return text + "\nNo decision has changed anything yet.\n";
  return text + "\n" + DecisionTable(explanation.decisions(), now);
}

// Asks with `method` about `target`.
template <typename Request, typename Response, typename Method>
absl::StatusOr<Response> Ask(const ControlPlane& control_plane, const Target& target, int limit,
                             Method method) {
  Request request;
  request.set_namespace_(target.agent_namespace);
  request.set_name(target.name);
  request.set_limit(limit);
  grpc::ClientContext context;
  rpc::SetTimeout(context, std::chrono::seconds(10));
  Response response;
  const grpc::Status status = method(&context, request, &response);
  if (!status.ok()) return control_plane.Explain(status);
  return response;
}

template <typename Explanation>
int Show(const WhyOptions& options, const Target& target, const Explanation& explanation) {
  if (options.output == "table") {
    const std::string name = target.agent_namespace + "/" + target.name;
    return Print(ExplainInWords(name, explanation, std::chrono::system_clock::now())) ? kOk
                                                                                      : kFailed;
  }
  const auto json = transcode::PrintJson(explanation);
  if (!json.ok()) return Fail(json.status());
  const auto document = options.output == "yaml" ? JsonToYaml(*json) : PrettyJson(*json);
  if (!document.ok()) return Fail(document.status());
  return Print(*document) ? kOk : kFailed;
}

}  // namespace

void AddWhy(config::Flags& flags, WhyOptions* options) {
  flags.AddPositional(&options->target, "NAMESPACE/NAME", "the agent or model");
  flags.Add(&options->limit, "limit", "decisions that are shown, at most 100", "N");
  flags.AddChoice(&options->output, "output,o", {"table", "json", "yaml"}, "how it is printed");
  AddControlPlaneFlag(flags, &options->addresses);
  rpc::AddTlsFlags(flags, &options->tls);
}

std::string ExplainInWords(const std::string& target, const v1::ExplainAgentResponse& explanation,
                           TimePoint now) {
  return InWords(target, explanation.agent().status(), explanation, now);
}

std::string ExplainInWords(const std::string& target, const v1::ExplainModelResponse& explanation,
                           TimePoint now) {
  return InWords(target, explanation.model().status(), explanation, now);
}

int RunWhy(const WhyOptions& options) {
  const auto target = ParseTarget(options.target);
  if (!target.ok()) return Fail(target.status());
  const Addresses found = FindAddresses(options.addresses, WellKnownReadyFile());
  const auto control_plane = ControlPlane::Connect(found.control_plane, options.tls);
  if (!control_plane.ok()) return Fail(control_plane.status());
  const auto agent = Ask<v1::ExplainAgentRequest, v1::ExplainAgentResponse>(
      *control_plane, *target, options.limit,
      [&](auto* context, const auto& request, auto* answer) {
        return control_plane->stub().ExplainAgent(context, request, answer);
      });
  if (!agent.ok()) return Fail(agent.status());
  if (agent->has_agent()) return Show(options, *target, *agent);
  const auto model = Ask<v1::ExplainModelRequest, v1::ExplainModelResponse>(
      *control_plane, *target, options.limit,
      [&](auto* context, const auto& request, auto* answer) {
        return control_plane->stub().ExplainModel(context, request, answer);
      });
  return model.ok() ? Show(options, *target, *model) : Fail(model.status());
}

}  // namespace krypton::cli
