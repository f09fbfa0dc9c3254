#include "gateway/route.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/config/percent.h"
#include "common/resource/key.h"

namespace krypton::gateway {
namespace {

constexpr std::string_view kAgents = "/v1/agents/";
constexpr std::string_view kModels = "/v1/models";
constexpr std::array<std::string_view, 4> kModelCalls = {"/v1/chat/completions", "/v1/completions",
                                                         "/v1/embeddings", "/v1/responses"};

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
  const auto first = config::DecodePercent(name_space);
  const auto second = config::DecodePercent(rest_of_key.substr(1));
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
  std::optional<std::string> decoded = config::DecodePercent(received);
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
