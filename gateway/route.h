// The first step of a request: which resource its target names. Pure, and without an allocation for
// a target that needs no decoding.
//
// Namespace and name are percent-decoded and then have to be RFC 1123 labels; an encoded slash, a
// dot segment or a broken escape in them is refused instead of being guessed at. What follows the
// name is the agent's own URL space and is passed on as it was received: not decoded, not
// normalised (conventions.md §5 "Request target").
#pragma once

#include <string>
#include <string_view>

namespace krypton::gateway {

enum class RouteKind {
  kAgent,       // /v1/agents/{namespace}/{name}[/rest]
  kModelCall,   // One of OpenAI's routes whose body names a model.
  kModelList,   // /v1/models
  kModel,       // /v1/models/{id}
  kUnknown,     // Nothing of ours: 404.
  kBadRequest,  // A name that is refused as written: 400.
};

// Views into the target, which must outlive it.
class Route {
 public:
  RouteKind kind = RouteKind::kUnknown;
  // As received: `/v1/agents/default/echo`. The target is `prefix + rest + query`.
  std::string_view prefix;
  // Begins with '/', or is empty: the call goes to spec.invocationPath. Of a model the whole path.
  std::string_view rest;
  // With its '?', or empty.
  std::string_view query;

  // Decoded: `namespace/name` of an agent; for kModel the model's id, where an encoded slash is the
  // same as a plain one.
  std::string_view key() const { return decoded_.empty() ? received_ : std::string_view(decoded_); }

 private:
  friend Route ParseRoute(std::string_view target);
  void SetKey(std::string_view received);
  void SetModelId(std::string_view received);

  std::string_view received_;
  std::string decoded_;
};

// `target` is in origin form (RFC 9112 §3.2.1).
Route ParseRoute(std::string_view target);

// What the agent is asked for: rest and query, or, without a rest, spec.invocationPath and the
// query. Appends to nothing: the parts go out one after the other.
struct OutgoingTarget {
  std::string_view path;
  // '?' or '&' or nothing, between the two.
  std::string_view separator;
  // Without its '?'.
  std::string_view query;

  std::string ToString() const;
};
OutgoingTarget TargetFor(const Route& route, std::string_view invocation_path);

}  // namespace krypton::gateway
