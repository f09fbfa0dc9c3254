// A hash map by name that looks up a std::string_view without making a string of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace krypton::gateway {

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <class T>
using ByName = absl::flat_hash_map<std::string, T, NameHash, NameEqual>;

}  // namespace krypton::gateway
