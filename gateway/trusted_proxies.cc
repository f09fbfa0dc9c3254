#include "gateway/trusted_proxies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"

namespace krypton::gateway {
namespace {

constexpr int kV4Offset = 96;

std::optional<std::array<uint8_t, 16>> ParseAddress(const std::string& text, bool* is_v4) {
  std::array<uint8_t, 16> address{};
  *is_v4 = inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1;
  if (*is_v4) {
    address[10] = address[11] = 0xff;
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

bool SamePrefix(const std::array<uint8_t, 16>& a, const std::array<uint8_t, 16>& b, int bits) {
  const int whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  if (bits % 8 == 0) return true;
  const int mask = 0xff << (8 - bits % 8) & 0xff;
  return (a[whole] & mask) == (b[whole] & mask);
}

}  // namespace

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& text : networks) {
    const auto wrong = [&] {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" is no IP address or network such as 10.0.0.0/8"));
    };
    const size_t slash = text.find('/');
    bool is_v4 = false;
    const auto address = ParseAddress(text.substr(0, slash), &is_v4);
    if (!address) return wrong();
    const int most = is_v4 ? 32 : 128;
    int bits = most;
    if (slash != text.npos) {
      const char* const end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data() + slash + 1, end, bits);
      if (parsed.ec != std::errc() || parsed.ptr != end || bits < 0 || bits > most) return wrong();
    }
    proxies.networks_.push_back({*address, is_v4 ? kV4Offset + bits : bits});
  }
  return proxies;
}

bool TrustedProxies::Contains(std::string_view peer) const {
  if (networks_.empty()) return false;
  bool is_v4 = false;
  const auto address = ParseAddress(std::string(peer), &is_v4);
  return address && std::ranges::any_of(networks_, [&](const Network& network) {
           return SamePrefix(*address, network.address, network.bits);
         });
}

}  // namespace krypton::gateway
