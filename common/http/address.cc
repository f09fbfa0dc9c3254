#include "common/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "common/http/text.h"

namespace krypton::http {
namespace {

template <class T>
std::string Bytes(const T& address, size_t size = sizeof(T)) {
  return std::string(reinterpret_cast<const char*>(&address), size);
}

absl::StatusOr<std::string> UnixAddress(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(Concat("the socket path ", path, " is too long"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return Bytes(address, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

}  // namespace

absl::StatusOr<std::string> ToSockaddr(std::string_view address) {
  if (address.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("a NUL in an address");
  }
  if (!address.empty() && address[0] == '/') return UnixAddress(address);
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string_view::npos ||
      !absl::SimpleAtoi(std::string(address.substr(colon + 1)), &port) || port > 65535) {
    return absl::InvalidArgumentError(Concat("address '", address, "' is not HOST:PORT"));
  }
  std::string host(address.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") host = "127.0.0.1";
  if (host.empty()) host = "::";
  sockaddr_in v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
    return Bytes(v4);
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<uint16_t>(port));
    return Bytes(v6);
  }
  return absl::InvalidArgumentError(Concat("'", host, "' is not an IP address"));
}

std::string IpOf(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  sockaddr_storage storage{};
  std::memcpy(&storage, bytes.data(), std::min(bytes.size(), sizeof(storage)));
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(storage).sin_addr, text, sizeof(text));
    return text;
  }
  if (storage.ss_family != AF_INET6) return "unix";
  const in6_addr& v6 = reinterpret_cast<sockaddr_in6&>(storage).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
  }
  return text;
}

std::string FromSockaddr(std::string_view bytes) {
  sockaddr_storage storage{};
  std::memcpy(&storage, bytes.data(), std::min(bytes.size(), sizeof(storage)));
  if (storage.ss_family == AF_INET) {
    return Concat(IpOf(bytes), ":",
                  std::to_string(ntohs(reinterpret_cast<sockaddr_in&>(storage).sin_port)));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return Concat("[", text, "]:", std::to_string(ntohs(v6.sin6_port)));
  }
  const char* path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  return std::string(path, strnlen(path, sizeof(sockaddr_un::sun_path)));
}

}  // namespace krypton::http
