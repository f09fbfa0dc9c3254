#include "common/config/address.h"

#include <charconv>

#include "absl/status/status.h"

namespace krypton::config {
namespace {

absl::Status Bad(std::string_view text, const char* why) {
  return absl::InvalidArgumentError("\"" + std::string(text) + "\" is not an address: " + why +
                                    "; write HOST:PORT, :PORT or [IPV6]:PORT");
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return Bad(text, "only IPv6 goes in brackets");
  } else if (host.find_first_of(":[]/ ") != std::string_view::npos) {
    return Bad(text, "its host is wrong (IPv6 goes in brackets)");
  }
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return Bad(text, "its port is not a number from 0 to 65535");
  }
  return HostPort{std::string(host), number};
}

std::string ToString(const HostPort& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

HostPort Reachable(HostPort bound) {
  if (bound.host.empty() || bound.host == "0.0.0.0" || bound.host == "::") {
    bound.host = "127.0.0.1";
  }
  return bound;
}

}  // namespace krypton::config
