// ForwardCollected: the front of a server that must not meet the network itself (forward.h).
#include <algorithm>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "common/http/connection.h"
#include "common/http/forward.h"

namespace krypton::http {
namespace {

// The fields to set: those of the settings, and all of a name of which one value holds a '%', in a
// form that survives the decoding.
struct Escaped {
  std::list<std::string> values;
  std::vector<Field> fields;

  void Add(std::string_view name, std::string_view value) {
    fields.push_back({name, values.emplace_back(EscapePercent(value))});
  }
};

bool Names(const std::vector<Field>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return EqualsIgnoreCase(field.name, name); });
}

Escaped EscapeFields(const Fields& received, const std::vector<Field>& set) {
  std::vector<Field> with_percent;
  for (const Field& field : received) {
    const bool percent = field.value.find('%') != std::string_view::npos;
    if (percent && field.id != FieldId::kHost && !Names(set, field.name)) {
      with_percent.push_back(field);
    }
  }
  Escaped escaped;
  for (const Field& field : set) escaped.Add(field.name, field.value);
  for (const Field& field : received) {
    if (Names(with_percent, field.name)) escaped.Add(field.name, field.value);
  }
  return escaped;
}

bool IsEncoded(const RequestHead& head) {
  const std::string_view encoding = head.fields.Get("content-encoding");
  return !encoding.empty() && !EqualsIgnoreCase(encoding, "identity");
}

}  // namespace

std::string EscapePercent(std::string_view value) {
  return absl::StrReplaceAll(absl::string_view(value.data(), value.size()), {{"%", "%25"}});
}

Task<void> ForwardCollected(Exchange& exchange, Client& client, Endpoint endpoint,
                            CollectSettings settings) {
  if (IsEncoded(exchange.request())) {
    // A name of its own: g++ 12 destroys a braced temporary in a co_await twice.
    Error error{.code = ErrorCode::kBadRequest,
                .message = "encoded request bodies are not served here",
                .status = 415,
                .param = {}};
    co_await exchange.RespondError(std::move(error));
    co_return;
  }
  const absl::StatusOr<std::string_view> body = co_await exchange.HoldBody(settings.max_body_bytes);
  if (absl::IsUnavailable(body.status())) co_return;
  if (!body.ok()) {
    co_await exchange.RespondError(exchange.BodyError());
    co_return;
  }
  const Escaped escaped = EscapeFields(exchange.request().fields, settings.set_fields);
  ForwardPlan plan;
  plan.endpoint = endpoint;
  plan.set_fields = escaped.fields;
  plan.drop_fields = settings.drop_fields;
  plan.deadline = settings.deadline;
  plan.collected = true;
  const ForwardResult result = co_await Forward(exchange, client, plan);
  switch (result.end) {
    case ForwardEnd::kAnswered:
    case ForwardEnd::kAborted:
    case ForwardEnd::kClientGone:
      break;
    case ForwardEnd::kTimedOut:
      co_await exchange.RespondError(ErrorCode::kAgentTimeout, "no answer in time");
      break;
    case ForwardEnd::kShutDown:
      co_await exchange.RespondError(ErrorCode::kShuttingDown, "the server is shutting down");
      break;
    default:
      co_await exchange.RespondError(ErrorCode::kAgentUnreachable, "the server does not answer");
  }
}

}  // namespace krypton::http
