#include "bench/net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace krypton::bench {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::int64_t LeadingNumber(std::string_view text, std::int64_t otherwise) {
  std::int64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

void Fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

void RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void SendAtOnce(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int Listen(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address = Loopback(port);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) Fail("bind");
  if (listen(fd, 4096) != 0) Fail("listen");
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

int Connect(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const sockaddr_in to = Loopback(static_cast<std::uint16_t>(LeadingNumber(port, 0)));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    Fail("connect to " + address);
  }
  SendAtOnce(fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

void Watch(int epoll, int fd, std::uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) Fail("epoll_ctl");
}

void Rewatch(int epoll, int fd, std::uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) Fail("epoll_ctl");
}

int WaitUntil(int epoll, epoll_event* events, int max, std::int64_t deadline_ns) {
  timespec timeout{};
  const std::int64_t left = std::max<std::int64_t>(deadline_ns - NowNs(), 0);
  timeout.tv_sec = left / kNsPerSecond;
  timeout.tv_nsec = left % kNsPerSecond;
  const int count = epoll_pwait2(epoll, events, max, deadline_ns < 0 ? nullptr : &timeout, nullptr);
  if (count < 0 && errno != EINTR) Fail("epoll_pwait2");
  return std::max(count, 0);
}

std::int64_t HeaderNumber(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find('\n'); line != std::string_view::npos;
       line = head.find('\n', line + 1)) {
    const std::string_view rest = head.substr(line + 1);
    if (rest.size() < name.size() || strncasecmp(rest.data(), name.data(), name.size()) != 0) {
      continue;
    }
    const std::size_t digit = rest.find_first_not_of(' ', name.size());
    return digit == std::string_view::npos ? -1 : LeadingNumber(rest.substr(digit), -1);
  }
  return -1;
}

std::int64_t QueryNumber(std::string_view target, std::string_view name, std::int64_t otherwise) {
  const std::string key = std::string(name) + "=";
  const std::size_t at = target.find(key);
  return at == std::string_view::npos ? otherwise
                                      : LeadingNumber(target.substr(at + key.size()), otherwise);
}

}  // namespace krypton::bench
