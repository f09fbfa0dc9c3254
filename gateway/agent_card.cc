#include "gateway/agent_card.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace krypton::gateway {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 2> kCardPaths = {"/.well-known/agent-card.json",
                                                        "/.well-known/agent.json"};
// Kept with a card; the rest of an answer's fields are of its connection or of its moment.
constexpr std::array<std::string_view, 9> kKeptFields = {
    "content-type",    "cache-control", "etag", "last-modified",
    "expires",         "date",          "vary", "access-control-allow-origin",
    "content-language"};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Each element of a comma-separated list.
template <class F>
void ForEachElement(std::string_view list, F function) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = Trim(list.substr(0, comma));
    if (!element.empty()) function(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// The argument of a Cache-Control directive; empty when it has none; nullopt: it is not there.
std::optional<std::string_view> Directive(std::string_view cache_control, std::string_view name) {
  std::optional<std::string_view> found;
  ForEachElement(cache_control, [&](std::string_view element) {
    const size_t equals = std::min(element.find('='), element.size());
    if (!http::EqualsIgnoreCase(element.substr(0, equals), name)) return;
    found = element.substr(std::min(equals + 1, element.size()));
  });
  return found;
}

int64_t Number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::max<int64_t>(value, 0);
}

std::string_view WithoutWeakness(std::string_view etag) {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

struct Url {
  std::string_view scheme;
  std::string_view authority;
  std::string_view rest;  // Path, query and fragment.
};

std::optional<Url> SplitUrl(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == text.npos) return std::nullopt;
  Url url;
  url.scheme = text.substr(0, colon);
  const std::string_view after = text.substr(colon + 3);
  const size_t end = std::min(after.find_first_of("/?#"), after.size());
  url.authority = after.substr(0, end);
  url.rest = after.substr(end);
  if (!http::EqualsIgnoreCase(url.scheme, "http") && !http::EqualsIgnoreCase(url.scheme, "https")) {
    return std::nullopt;
  }
  return url;
}

std::string_view HostOf(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

// An address that only the agent's own machine can mean.
bool IsLocal(std::string_view authority) {
  const std::string_view host = HostOf(authority);
  return http::EqualsIgnoreCase(host, "localhost") || host.starts_with("127.") ||
         host == "0.0.0.0" || host == "[::1]" || host == "[::]";
}

bool IsUnder(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() ||
                                      path.find_first_of("/?#", prefix.size()) == prefix.size());
}

bool RewriteUrl(json::value& value, const PublicBase& base, std::string_view authority_seen) {
  const json::string* text = value.if_string();
  if (text == nullptr) return false;
  const std::string_view before(text->data(), text->size());
  const std::optional<Url> url = SplitUrl(before);
  if (!url) return false;
  const bool is_own = IsLocal(url->authority) ||
                      http::EqualsIgnoreCase(url->authority, authority_seen) ||
                      http::EqualsIgnoreCase(url->authority, base.authority);
  if (!is_own) return false;
  std::string after(base.scheme);
  after.append("://").append(base.authority);
  if (!IsUnder(url->rest, base.prefix)) after.append(base.prefix);
  after.append(url->rest);
  if (after == before) return false;
  value = json::string(after);
  return true;
}

// `url` of the card itself (0.3) or of one of its interfaces.
bool RewriteIn(json::object& object, const PublicBase& base, std::string_view authority_seen) {
  json::value* url = object.if_contains("url");
  return url != nullptr && RewriteUrl(*url, base, authority_seen);
}

}  // namespace

std::optional<int> CardIndex(std::string_view rest) {
  const auto found = std::ranges::find(kCardPaths, rest);
  if (found == kCardPaths.end()) return std::nullopt;
  return static_cast<int>(found - kCardPaths.begin());
}

std::string_view CardAnswer::Field(std::string_view name) const {
  for (const auto& [its_name, value] : fields) {
    if (http::EqualsIgnoreCase(its_name, name)) return value;
  }
  return {};
}

CardAnswer MakeCardAnswer(const http::Fields& request, const http::Fields& response,
                          std::string body, http::TimePoint now) {
  CardAnswer answer;
  answer.body = std::move(body);
  answer.received = now;
  answer.initial_age = Number(response.Get("age"));
  for (const http::Field& field : response) {
    const auto same = [&](std::string_view kept) {
      return http::EqualsIgnoreCase(kept, field.name);
    };
    if (std::ranges::any_of(kKeptFields, same)) answer.fields.emplace_back(field.name, field.value);
    if (!http::EqualsIgnoreCase(field.name, "vary")) continue;
    ForEachElement(field.value, [&](std::string_view name) {
      answer.varies.emplace_back(name, request.Get(name));
    });
  }
  return answer;
}

bool MayStore(const http::Fields& request, const CardAnswer& answer) {
  const std::string_view control = answer.Field("cache-control");
  if (Directive(control, "no-store") || Directive(control, "private")) return false;
  if (Directive(request.Get("cache-control"), "no-store")) return false;
  const auto varies_on_all = [](const auto& varied) { return varied.first == "*"; };
  if (std::ranges::any_of(answer.varies, varies_on_all)) return false;
  if (!request.Has("authorization")) return true;
  return Directive(control, "public") || Directive(control, "s-maxage") ||
         Directive(control, "must-revalidate");
}

int64_t AgeOf(const CardAnswer& answer, http::TimePoint now) {
  return answer.initial_age +
         std::chrono::duration_cast<std::chrono::seconds>(now - answer.received).count();
}

bool MayServe(const http::Fields& request, const CardAnswer& answer, http::TimePoint now) {
  for (const auto& [name, value] : answer.varies) {
    if (request.Get(name) != value) return false;
  }
  const std::string_view control = answer.Field("cache-control");
  if (Directive(control, "no-cache")) return false;
  if (!Directive(control, "must-revalidate") && !Directive(control, "proxy-revalidate")) {
    return true;
  }
  auto lifetime = Directive(control, "s-maxage");
  if (!lifetime) lifetime = Directive(control, "max-age");
  return lifetime && AgeOf(answer, now) < Number(*lifetime);
}

bool Matches(std::string_view if_none_match, std::string_view etag) {
  if (etag.empty() || if_none_match.empty()) return false;
  bool matches = Trim(if_none_match) == "*";
  ForEachElement(if_none_match, [&](std::string_view element) {
    matches |= WithoutWeakness(element) == WithoutWeakness(etag);
  });
  return matches;
}

std::optional<std::string> RewriteCard(std::string_view card, const PublicBase& base,
                                       std::string_view authority_seen) {
  boost::system::error_code error;
  json::value root = json::parse({card.data(), card.size()}, error);
  json::object* object = error ? nullptr : root.if_object();
  if (object == nullptr) return std::nullopt;
  const json::value* signatures = object->if_contains("signatures");
  if (signatures != nullptr && (!signatures->is_array() || !signatures->get_array().empty())) {
    return std::nullopt;
  }
  bool changed = RewriteIn(*object, base, authority_seen);
  for (const char* list : {"supportedInterfaces", "additionalInterfaces"}) {
    json::value* interfaces = object->if_contains(list);
    if (interfaces == nullptr || !interfaces->is_array()) continue;
    for (json::value& one : interfaces->get_array()) {
      if (one.is_object()) changed |= RewriteIn(one.get_object(), base, authority_seen);
    }
  }
  if (!changed) return std::nullopt;
  return json::serialize(root);
}

void AgentCards::Store(int index, CardAnswer answer, int64_t generation) {
  std::lock_guard lock(mutex_);
  kept_[index] = Kept{.answer = std::move(answer), .generation = generation};
}

std::optional<CardAnswer> AgentCards::Find(int index, const http::Fields& request,
                                           int64_t generation, http::TimePoint now) const {
  std::lock_guard lock(mutex_);
  const std::optional<Kept>& kept = kept_[index];
  if (!kept || kept->generation != generation || !MayServe(request, kept->answer, now)) {
    return std::nullopt;
  }
  return kept->answer;
}

}  // namespace krypton::gateway
