// Socket addresses as text and as the bytes of a sockaddr. Numeric only: nothing resolves names,
// but for "localhost" and an empty host (all addresses).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace krypton::http {

// "127.0.0.1:80", "[::1]:80", ":80", "localhost:80", "/path/of.sock" → the bytes of a sockaddr.
absl::StatusOr<std::string> ToSockaddr(std::string_view address);

// "127.0.0.1:80", "[::1]:80", or the path.
std::string FromSockaddr(std::string_view sockaddr_bytes);

// The IP address alone: "127.0.0.1", "::1"; an IPv4 address in IPv6 clothes is undressed; "unix".
std::string IpOf(std::string_view sockaddr_bytes);

}  // namespace krypton::http
