// FNV-1a (draft-eastlake-fnv §2): a hash that is the same in every process, version and machine,
// which absl::Hash is not. Not for keys that strangers choose: collisions are easy to make.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace krypton::config {

template <typename Hash>
constexpr Hash Fnv1a(std::string_view text) {
  static_assert(std::is_same_v<Hash, uint32_t> || std::is_same_v<Hash, uint64_t>);
  constexpr bool kWide = sizeof(Hash) == 8;
  constexpr auto kPrime = static_cast<Hash>(kWide ? 1'099'511'628'211u : 16'777'619u);
  auto hash = static_cast<Hash>(kWide ? 14'695'981'039'346'656'037u : 2'166'136'261u);
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return hash;
}

// The drafts' own examples.
static_assert(Fnv1a<uint32_t>("foobar") == 0xbf9cf968);
static_assert(Fnv1a<uint64_t>("foobar") == 0x85944171f73967e8);

}  // namespace krypton::config
