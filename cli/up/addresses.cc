#include "cli/up/addresses.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "absl/status/status.h"
#include "common/config/address.h"

namespace krypton::cli {
namespace {

// One port to choose: where it goes, and which it is by default and from --port-base on.
struct Slot {
  std::string ComponentAddresses::*field;
  ComponentAddresses MeshAddresses::*component;
  const char* what;
  int design_port;
  int offset;
};

using M = MeshAddresses;
using C = ComponentAddresses;
constexpr std::array<Slot, 8> kSlots = {{
    {&C::http, &M::gateway, "the gateway (HTTP)", 8080, 0},
    {&C::ops, &M::gateway, "the gateway (ops)", 8081, 1},
    {&C::grpc, &M::gateway, "the gateway (gRPC)", 7080, 2},
    {&C::http, &M::control_plane, "the control plane (REST)", 8090, 4},
    {&C::ops, &M::control_plane, "the control plane (ops)", 8091, 5},
    {&C::grpc, &M::control_plane, "the control plane (gRPC)", 7090, 6},
    {&C::ops, &M::manager, "the manager (ops)", 8070, 9},
    {&C::grpc, &M::manager, "the manager (gRPC)", 7070, 10},
}};

// OK when `host:port` can be bound now.
absl::Status TryBind(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  if (const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError("--host " + host + ": " + gai_strerror(error));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int error = errno;
  close(fd);
  freeaddrinfo(found);
  if (bound) return absl::OkStatus();
  return absl::UnavailableError(strerror(error));
}

// The ports that the kernel gives to outgoing connections begin here: a chosen port below them is
// not taken by one while its component is down for a moment.
int EphemeralBegin() {
  int begin = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> begin;
  return begin > 12'000 ? begin : 32'768;
}

absl::StatusOr<int> FreePort(const std::string& host, std::set<int>& taken) {
  std::mt19937 random{std::random_device()()};
  std::uniform_int_distribution<int> ports(10'000, EphemeralBegin() - 1);
  absl::Status status;
  for (int attempt = 0; attempt < 200; ++attempt) {
    const int port = ports(random);
    if (!taken.insert(port).second) continue;
    status = TryBind(host, port);
    if (status.ok()) return port;
    if (absl::IsInvalidArgument(status)) return status;
  }
  return absl::UnavailableError("found no free port: " + std::string(status.message()));
}

}  // namespace

absl::StatusOr<MeshAddresses> ChooseAddresses(const std::string& host, int port_base) {
  MeshAddresses mesh;
  mesh.gateway.name = "gateway";
  mesh.control_plane.name = "control_plane";
  mesh.manager.name = "manager";
  if (port_base > 65'535 - kSlots.back().offset) {
    return absl::InvalidArgumentError("--port-base " + std::to_string(port_base) +
                                      " leaves no room for 12 ports below 65536");
  }
  std::set<int> taken;
  for (const Slot& slot : kSlots) {
    int port = port_base < 0 ? slot.design_port : port_base + slot.offset;
    if (port_base == 0) {
      const auto free = FreePort(host, taken);
      if (!free.ok()) return free.status();
      port = *free;
    } else if (const absl::Status status = TryBind(host, port); !status.ok()) {
      if (absl::IsInvalidArgument(status)) return status;
      return absl::UnavailableError(
          "cannot use " + config::ToString({host, static_cast<uint16_t>(port)}) + " for " +
          slot.what + ": " + std::string(status.message()) +
          "; choose other ports with --port-base N, or free ones with --port-base 0");
    }
    (mesh.*slot.component).*slot.field = config::ToString({host, static_cast<uint16_t>(port)});
  }
  return mesh;
}

}  // namespace krypton::cli
