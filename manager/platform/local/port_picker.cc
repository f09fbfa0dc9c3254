#include "manager/platform/local/port_picker.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "fmt/format.h"

namespace krypton::platform {
namespace {

// An abstract name: it belongs to the network namespace, as ports do, and goes with its last
// holder.
UniqueFd Reserve(int port) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("krypton-agent-port-{}", port);
  memcpy(address.sun_path + 1, name.data(), name.size());
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return UniqueFd();
  return fd;
}

bool IsFree(int port) {
  const UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  if (fd.valid() && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) {
    // Both families at once.
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<uint16_t>(port));
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
    if (errno == EADDRINUSE) return false;
  }
  const UniqueFd v4(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  return bind(v4.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

absl::StatusOr<PortPicker::Port> PortPicker::Pick() {
  const int count = settings_.last - settings_.first + 1;
  const int begin = std::uniform_int_distribution<int>(0, count - 1)(random_);
  for (int i = 0; i < count; ++i) {
    const int port = settings_.first + (begin + i) % count;
    UniqueFd reservation = Reserve(port);
    if (reservation.valid() && IsFree(port)) return Port{port, std::move(reservation)};
  }
  return absl::ResourceExhaustedError(
      fmt::format("no port of {}..{} is free for an agent", settings_.first, settings_.last));
}

}  // namespace krypton::platform
