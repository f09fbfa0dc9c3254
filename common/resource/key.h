// Helpers over krypton.v1.ResourceKey, the name under which the whole mesh knows an agent or a
// model: its text form, its use as the key of a hash map, and its shard. All are pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {

v1::ResourceKey AgentKey(std::string_view name_space, std::string_view name);
v1::ResourceKey ModelKey(std::string_view name_space, std::string_view name);

// "default/echo". An agent and a model of one namespace and name exclude each other, so the kind is
// left out.
std::string ToString(const v1::ResourceKey& key);
// `agent "default/echo"`: how messages for people name a resource.
std::string Describe(const v1::ResourceKey& key);
// "agent", "model"; "resource" when the kind is not known.
std::string_view KindWord(v1::ResourceKind kind);
// "default/echo", or "echo" for namespace "default". Errors: either part is no RFC 1123 label.
absl::StatusOr<v1::ResourceKey> ParseKey(v1::ResourceKind kind, std::string_view text);

// Lower-case letters, digits and '-', a letter or digit at both ends, 1 to 63 characters (RFC
// 1123).
bool IsDnsLabel(std::string_view text);

// The shard of a key, stable over processes, versions and machines (FNV-1a of "namespace/name").
// Everything that may later be split takes it modulo its number of shards.
uint32_t ShardOf(const v1::ResourceKey& key);

struct KeyHash {
  size_t operator()(const v1::ResourceKey& key) const;
};
struct KeyEqual {
  bool operator()(const v1::ResourceKey& a, const v1::ResourceKey& b) const;
};
// Kind, then namespace, then name.
struct KeyLess {
  bool operator()(const v1::ResourceKey& a, const v1::ResourceKey& b) const;
};

template <typename T>
using KeyMap = absl::flat_hash_map<v1::ResourceKey, T, KeyHash, KeyEqual>;
using KeySet = absl::flat_hash_set<v1::ResourceKey, KeyHash, KeyEqual>;

}  // namespace krypton::resource
