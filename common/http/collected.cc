// ForwardCollected: the front of a server that must not meet the network itself (forward.h).
#include <string>
#include <utility>
#include <vector>

#include "common/http/connection.h"
#include "common/http/forward.h"

namespace krypton::http {
namespace {

// cpp-httplib 0.11 decodes %XX in the values of fields, %0D%0A included: escaped, they arrive as
// sent.
std::string EscapePercent(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    escaped.push_back(c);
    if (c == '%') escaped.append("25");
  }
  return escaped;
}

// Fields whose values hold a '%', in a form that survives the decoding.
struct Escaped {
  std::vector<std::string> values;
  std::vector<Field> fields;
};

Escaped EscapeFields(const Fields& fields) {
  Escaped escaped;
  escaped.values.reserve(fields.size());
  for (const Field& field : fields) {
    if (field.id == FieldId::kHost || field.value.find('%') == std::string_view::npos) continue;
    // A name that repeats would be set once for each: all its values go along.
    escaped.values.push_back(EscapePercent(field.value));
    escaped.fields.push_back({field.name, escaped.values.back()});
  }
  return escaped;
}

bool IsEncoded(const RequestHead& head) {
  const std::string_view encoding = head.fields.Get("content-encoding");
  return !encoding.empty() && !EqualsIgnoreCase(encoding, "identity");
}

}  // namespace

Task<void> ForwardCollected(Exchange& exchange, Client& client, Endpoint endpoint,
                            CollectSettings settings) {
  if (IsEncoded(exchange.request())) {
    co_await exchange.RespondError({.code = ErrorCode::kBadRequest,
                                    .message = "encoded request bodies are not served here",
                                    .status = 415,
                                    .param = {}});
    co_return;
  }
  const absl::StatusOr<std::string_view> body = co_await exchange.HoldBody(settings.max_body_bytes);
  if (absl::IsUnavailable(body.status())) co_return;
  if (!body.ok()) {
    co_await exchange.RespondError(exchange.BodyError());
    co_return;
  }
  const Escaped escaped = EscapeFields(exchange.request().fields);
  ForwardPlan plan;
  plan.endpoint = endpoint;
  plan.set_fields = escaped.fields;
  plan.deadline = settings.deadline;
  plan.collected = true;
  const ForwardResult result = co_await Forward(exchange, client, std::move(plan));
  switch (result.end) {
    case ForwardEnd::kAnswered:
    case ForwardEnd::kAborted:
    case ForwardEnd::kClientGone:
      break;
    case ForwardEnd::kTimedOut:
      co_await exchange.RespondError(ErrorCode::kAgentTimeout, "no answer in time");
      break;
    default:
      co_await exchange.RespondError(ErrorCode::kAgentUnreachable, "the server does not answer");
  }
}

}  // namespace krypton::http
