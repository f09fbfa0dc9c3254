// The part of Call that knows agent cards: fetched as a whole from an agent that is awake, answered
// from the one kept while it sleeps.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/agent_card.h"
#include "gateway/call.h"

namespace krypton::gateway {
namespace {

// Of this connection, decided by the gateway itself, or such that the agent might answer with less
// than the whole card.
constexpr std::array<std::string_view, 23> kNotPassedOn = {"connection",
                                                           "keep-alive",
                                                           "proxy-connection",
                                                           "te",
                                                           "trailer",
                                                           "transfer-encoding",
                                                           "upgrade",
                                                           "proxy-authorization",
                                                           "proxy-authenticate",
                                                           "host",
                                                           "content-length",
                                                           "expect",
                                                           "accept-encoding",
                                                           "if-none-match",
                                                           "if-modified-since",
                                                           "if-match",
                                                           "if-unmodified-since",
                                                           "if-range",
                                                           "range",
                                                           "via",
                                                           "x-request-id",
                                                           "krypton-wait",
                                                           "krypton-load"};

bool IsPassedOn(std::string_view name) {
  return std::ranges::none_of(
             kNotPassedOn,
             [&](std::string_view other) { return http::EqualsIgnoreCase(name, other); }) &&
         !(name.size() > 12 && http::EqualsIgnoreCase(name.substr(0, 12), "x-forwarded-"));
}

// How the client reaches the gateway: what it says itself, or what a trusted proxy says of it.
PublicBase BaseOf(const http::RequestHead& request, std::string_view prefix, bool trusted) {
  PublicBase base{.scheme = "http", .authority = request.host, .prefix = prefix};
  if (!trusted) return base;
  if (const auto host = request.fields.Get("x-forwarded-host"); !host.empty())
    base.authority = host;
  if (request.fields.Get("x-forwarded-proto") == "https") base.scheme = "https";
  return base;
}

http::Client::Request CardRequest(const http::RequestHead& request, const CallPolicy& policy,
                                  std::string_view target, const PublicBase& base,
                                  std::string_view peer) {
  http::Client::Request fetch;
  fetch.target = target;
  fetch.host = policy.host.empty() ? std::string(request.host) : policy.host;
  fetch.max_body_bytes = kMaxCardBytes;
  for (const http::Field& field : request.fields) {
    if (IsPassedOn(field.name)) fetch.fields.push_back(field);
  }
  fetch.fields.push_back({"x-forwarded-for", peer});
  fetch.fields.push_back({"x-forwarded-host", base.authority});
  fetch.fields.push_back({"x-forwarded-proto", base.scheme});
  fetch.fields.push_back({"x-forwarded-prefix", base.prefix});
  fetch.fields.push_back({"via", "1.1 krypton"});
  return fetch;
}

Verdict Failure(const absl::Status& status, bool broke_before) {
  if (absl::IsDeadlineExceeded(status)) {
    return {.again = std::nullopt,
            .error = http::Error{.code = http::ErrorCode::kAgentTimeout,
                                 .message = "no answer within spec.timeout"}};
  }
  if (!broke_before) return {.again = Setback::kBroke, .error = std::nullopt};
  return {.again = std::nullopt,
          .error = http::Error{.code = http::ErrorCode::kAgentUnreachable,
                               .message = "the replica broke the connection before an answer"}};
}

// The answer as it came, but for what belongs to the connection.
http::Task<void> PassOn(http::Exchange& exchange, const http::Client::Response& response) {
  std::vector<http::Field> fields;
  for (const http::Field& field : response.head.fields) {
    if (IsPassedOn(field.name)) fields.push_back(field);
  }
  co_await exchange.Respond(response.head.status, fields, response.body);
}

// `age`: it comes from the ones kept.
http::Task<void> RespondCard(http::Exchange& exchange, const CardAnswer& card,
                             const PublicBase& base, std::string_view authority_seen,
                             std::optional<int64_t> age) {
  const std::optional<std::string> rewritten = RewriteCard(card.body, base, authority_seen);
  std::string etag(card.Field("etag"));
  if (rewritten && !etag.empty() && !etag.starts_with("W/")) etag.insert(0, "W/");
  const std::string age_text = absl::StrCat(age.value_or(0));
  std::vector<http::Field> fields;
  for (const auto& [name, value] : card.fields) {
    fields.push_back({name, http::EqualsIgnoreCase(name, "etag") ? std::string_view(etag) : value});
  }
  if (age) fields.push_back({"age", age_text});
  const bool known = Matches(exchange.request().fields.Get("if-none-match"), etag);
  std::string_view body = rewritten ? *rewritten : card.body;
  if (known) body = {};
  co_await exchange.Respond(known ? 304 : 200, fields, body);
}

}  // namespace

http::Task<bool> Call::AnswerKeptCard() {
  const TimePoint now = http::Clock::now();
  const std::optional<CardAnswer> card =
      dispatcher_->cards().Find(*card_, request_.fields, policy_->generation, now);
  if (!card) co_return false;
  const PublicBase base = BaseOf(request_, route_.prefix, IsTrusted());
  co_await RespondCard(exchange_, *card, base, AuthoritySeen(), AgeOf(*card, now));
  co_return true;
}

http::Task<Verdict> Call::FetchCard() {
  const PublicBase base = BaseOf(request_, route_.prefix, IsTrusted());
  http::Client::Request fetch =
      CardRequest(request_, *policy_, route_.rest, base, exchange_.peer());
  fetch.fields.push_back({RequestId::kField, id_.value()});
  if (ticket_.may_park()) fetch.fields.push_back({"krypton-wait", gateway_.park_text()});
  const TimePoint deadline = http::Clock::now() + policy_->timeout;
  absl::StatusOr<http::Client::Response> response =
      co_await gateway_.client_.Call(ticket_.endpoint()->address, std::move(fetch), deadline);
  if (absl::IsResourceExhausted(response.status())) {
    Verdict verdict = co_await Forward();
    co_return verdict;
  }
  if (!response.ok()) co_return Failure(response.status(), broke_before_);
  refusal_ = RefusalOf(response->head);
  if (refusal_) co_return Verdict{.again = refusal_, .error = std::nullopt};
  NoteFirstByte();
  if (response->head.status != 200) {
    co_await PassOn(exchange_, *response);
    co_return Verdict{};
  }
  CardAnswer card = MakeCardAnswer(request_.fields, response->head.fields,
                                   std::move(response->body), http::Clock::now());
  if (MayStore(request_.fields, card)) {
    dispatcher_->cards().Store(*card_, card, policy_->generation);
  }
  co_await RespondCard(exchange_, card, base, AuthoritySeen(), std::nullopt);
  co_return Verdict{};
}

}  // namespace krypton::gateway
