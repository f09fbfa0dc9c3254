#include "gateway/route.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/resource/key.h"

namespace krypton::gateway {
namespace {

constexpr std::string_view kAgents = "/v1/agents/";
constexpr std::string_view kModels = "/v1/models";
constexpr std::array<std::string_view, 4> kModelCalls = {"/v1/chat/completions", "/v1/completions",
                                                         "/v1/embeddings", "/v1/responses"};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt: a broken escape.
std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexValue(text[i + 1]);
    const int low = HexValue(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

// A segment that some other party might read as another path than we do.
bool IsTreacherous(std::string_view segment) {
  return segment == "." || segment == ".." || segment.find('/') != segment.npos ||
         segment.find('\\') != segment.npos || segment.find('\0') != segment.npos;
}

struct Segment {
  std::string_view received;
  std::string_view remainder;
};

Segment FirstSegment(std::string_view path) {
  const size_t end = std::min(path.find('/'), path.size());
  return {path.substr(0, end), path.substr(end)};
}

}  // namespace

void Route::SetKey(std::string_view received) {
  received_ = received;
  if (received.find('%') == received.npos) return;
  const auto [name_space, rest_of_key] = FirstSegment(received);
  const auto first = PercentDecode(name_space);
  const auto second = PercentDecode(rest_of_key.substr(1));
  if (!first || !second || IsTreacherous(*first) || IsTreacherous(*second)) {
    kind = RouteKind::kBadRequest;
    return;
  }
  decoded_ = *first + "/" + *second;
}

void Route::SetModelId(std::string_view received) {
  kind = RouteKind::kModel;
  received_ = received;
  if (received.find('%') == received.npos) return;
  std::optional<std::string> decoded = PercentDecode(received);
  if (!decoded) {
    kind = RouteKind::kBadRequest;
    return;
  }
  decoded_ = *std::move(decoded);
}

Route ParseRoute(std::string_view target) {
  Route route;
  const size_t question = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, question);
  route.query = target.substr(question);
  if (path.starts_with(kModels)) {
    const std::string_view id = path.substr(kModels.size());
    if (id.empty()) route.kind = RouteKind::kModelList;
    if (id.size() > 1 && id[0] == '/') route.SetModelId(id.substr(1));
    return route;
  }
  if (std::ranges::find(kModelCalls, path) != kModelCalls.end()) {
    route.kind = RouteKind::kModelCall;
    route.rest = path;
    return route;
  }
  if (!path.starts_with(kAgents)) return route;
  const auto [name_space, after] = FirstSegment(path.substr(kAgents.size()));
  if (name_space.empty() || after.size() < 2) return route;
  const auto [name, rest] = FirstSegment(after.substr(1));
  if (name.empty()) return route;
  if (IsTreacherous(name_space) || IsTreacherous(name)) {
    route.kind = RouteKind::kBadRequest;
    return route;
  }
  route.kind = RouteKind::kAgent;
  route.prefix = path.substr(0, path.size() - rest.size());
  route.rest = rest;
  route.SetKey(route.prefix.substr(kAgents.size()));
  return route;
}

std::string OutgoingTarget::ToString() const {
  std::string text(path);
  text.append(separator).append(query);
  return text;
}

OutgoingTarget TargetFor(const Route& route, std::string_view invocation_path) {
  OutgoingTarget target;
  target.path = !route.rest.empty() ? route.rest : invocation_path;
  if (target.path.empty()) target.path = "/";
  if (route.query.empty()) return target;
  const bool has_query = target.path.find('?') != target.path.npos;
  target.separator = has_query ? "&" : "?";
  target.query = route.query.substr(1);
  return target;
}

}  // namespace krypton::gateway
