// Addresses as flags write them. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace krypton::config {

// A host (a name, an IPv4 or IPv6 address without brackets; empty: all interfaces) and a port.
struct HostPort {
  std::string host;
  uint16_t port = 0;  // 0 in a bind address: choose one

  bool operator==(const HostPort&) const = default;
};

// Reads "127.0.0.1:80", ":8080", "[::1]:80", "example.com:80". kInvalidArgument otherwise.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// The inverse; IPv6 in brackets.
std::string ToString(const HostPort& address);

// Where this machine reaches a server that is bound to `bound`: all interfaces become 127.0.0.1.
HostPort Reachable(HostPort bound);

}  // namespace krypton::config
