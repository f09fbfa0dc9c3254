#include "common/rpc/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "common/config/descriptors.h"
#include "common/config/file.h"
#include "common/log/log.h"

namespace krypton::rpc {
namespace {

constexpr int kBacklog = 4096;
// When descriptors are used up: how soon to try again.
constexpr int kPauseMs = 20;

struct FreeAddresses {
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

// None: `error` says why.
config::UniqueFd ListenOn(const addrinfo& address, int* error) {
  config::UniqueFd owned(
      socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = owned.get();
  const int on = 1;
  const int off = 0;
  // Not SO_REUSEPORT: two processes on one port are a mistake, not load balancing.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Accepted ones inherit it.
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (fd >= 0 && bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) {
    return owned;
  }
  *error = errno;
  return {};
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

}  // namespace

struct Listener::Impl {
  // False: it is time to end.
  bool Wait(bool for_connection) const {
    std::array<pollfd, 2> wanted = {{{stop.get(), POLLIN, 0}, {listening.get(), POLLIN, 0}}};
    const int events = poll(wanted.data(), for_connection ? 2 : 1, for_connection ? -1 : kPauseMs);
    // EINTR or, rarely, a want of memory: both pass.
    return events < 0 || wanted[0].revents == 0;
  }

  void Accept() {
    static log::Limiter limiter(std::chrono::seconds(10));
    const auto warn = [](const char* what) {
      if (!limiter.Allow()) return;
      log::Warn(what, {{"hint", "raise the limit of open files (ulimit -n, LimitNOFILE)"}});
    };
    bool exhausted = false;
    while (Wait(!exhausted)) {
      exhausted = false;
      const int fd = accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        exhausted = config::IsExhaustion(errno);
        if (exhausted) warn("gRPC connections wait: no file descriptor is left");
      } else if (config::TakesReserve(fd)) {
        close(fd);
        warn("a gRPC connection was refused: few file descriptors are left");
      } else {
        take(fd);
      }
    }
  }

  config::UniqueFd listening;
  config::UniqueFd stop;  // An eventfd.
  Take take;
  std::thread thread;
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Listener::~Listener() { Stop(); }

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const config::HostPort& address) {
  const auto failed = [&](const char* why) {
    return absl::UnavailableError("cannot listen on " + config::ToString(address) +
                                  " (gRPC): " + why);
  };
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const std::string port = std::to_string(address.port);
  const bool all = address.host.empty();
  // As the HTTP servers have it.
  const char* host = address.host == "localhost" ? "127.0.0.1" : address.host.c_str();
  if (const int unknown = getaddrinfo(all ? nullptr : host, port.c_str(), &hints, &first);
      unknown != 0) {
    return failed(gai_strerror(unknown));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> found(first);
  auto impl = std::make_unique<Impl>();
  int error = 0;
  // All interfaces are those of IPv6, which take IPv4 too, and where there is no IPv6 those of
  // IPv4.
  for (const bool only_ipv6 : {all, false}) {
    for (const addrinfo* one = first; one != nullptr && !impl->listening.valid();
         one = one->ai_next) {
      if (!only_ipv6 || one->ai_family == AF_INET6) impl->listening = ListenOn(*one, &error);
    }
  }
  if (!impl->listening.valid()) return failed(strerror(error));
  impl->stop = config::UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!impl->stop.valid()) return failed(strerror(errno));
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

uint16_t Listener::port() const { return PortOf(impl_->listening.get()); }

void Listener::Start(Take take) {
  impl_->take = std::move(take);
  impl_->thread = std::thread([this] { impl_->Accept(); });
}

void Listener::Stop() {
  if (impl_->thread.joinable()) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(impl_->stop.get(), &one, sizeof one);
    impl_->thread.join();
  }
  // So that who comes now is refused by the kernel.
  impl_->listening.Reset();
}

}  // namespace krypton::rpc
