#include "common/resource/key.h"

#include <algorithm>
#include <tuple>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/config/fnv.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

v1::ResourceKey MakeKey(v1::ResourceKind kind, std::string_view name_space, std::string_view name) {
  v1::ResourceKey key;
  key.set_kind(kind);
  key.set_namespace_(std::string(name_space));
  key.set_name(std::string(name));
  return key;
}

}  // namespace

v1::ResourceKey AgentKey(std::string_view name_space, std::string_view name) {
  return MakeKey(v1::RESOURCE_KIND_AGENT, name_space, name);
}

v1::ResourceKey ModelKey(std::string_view name_space, std::string_view name) {
  return MakeKey(v1::RESOURCE_KIND_MODEL, name_space, name);
}

std::string ToString(const v1::ResourceKey& key) {
  return fmt::format("{}/{}", key.namespace_(), key.name());
}

std::string Describe(const v1::ResourceKey& key) {
  return fmt::format("{} \"{}\"", KindWord(key.kind()), ToString(key));
}

std::string_view KindWord(v1::ResourceKind kind) {
  switch (kind) {
    case v1::RESOURCE_KIND_AGENT:
      return "agent";
    case v1::RESOURCE_KIND_MODEL:
      return "model";
    default:
      return "resource";
  }
}

absl::StatusOr<v1::ResourceKey> ParseKey(v1::ResourceKind kind, std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view name_space = slash == text.npos ? "default" : text.substr(0, slash);
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  if (!IsDnsLabel(name_space) || !IsDnsLabel(name)) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not NAMESPACE/NAME or NAME, each of lower-case letters, digits "
                    "and '-', at most 63",
                    text));
  }
  return MakeKey(kind, name_space, name);
}

bool IsDnsLabel(std::string_view text) {
  const auto alphanumeric = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  return !text.empty() && text.size() <= 63 && alphanumeric(text.front()) &&
         alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return alphanumeric(c) || c == '-'; });
}

uint32_t ShardOf(const v1::ResourceKey& key) {
  return config::Fnv1a<uint32_t>(absl::StrCat(key.namespace_(), "/", key.name()));
}

size_t KeyHash::operator()(const v1::ResourceKey& key) const {
  return absl::HashOf(static_cast<int>(key.kind()), key.namespace_(), key.name());
}

bool KeyEqual::operator()(const v1::ResourceKey& a, const v1::ResourceKey& b) const {
  return a.kind() == b.kind() && a.namespace_() == b.namespace_() && a.name() == b.name();
}

bool KeyLess::operator()(const v1::ResourceKey& a, const v1::ResourceKey& b) const {
  return std::forward_as_tuple(a.kind(), a.namespace_(), a.name()) <
         std::forward_as_tuple(b.kind(), b.namespace_(), b.name());
}

}  // namespace krypton::resource
