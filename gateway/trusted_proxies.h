// Peers whose X-Forwarded-* fields are believed (--trusted-proxies): addresses and networks. An
// immutable value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace krypton::gateway {

class TrustedProxies {
 public:
  TrustedProxies() = default;
  // "10.0.0.0/8", "192.0.2.7", "fd00::/8". An error names the one that is wrong.
  static absl::StatusOr<TrustedProxies> Parse(const std::vector<std::string>& networks);

  // `peer`: an IP address as text; anything else is not trusted.
  bool Contains(std::string_view peer) const;

 private:
  struct Network {
    std::array<uint8_t, 16> address;  // IPv4 as ::ffff:a.b.c.d.
    int bits;
  };
  std::vector<Network> networks_;
};

}  // namespace krypton::gateway
