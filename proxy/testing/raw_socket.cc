#include "proxy/testing/raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace krypton::proxy::testing {
namespace {

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

RawSocket::RawSocket(int fd) : fd_(fd) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
}

RawSocket::RawSocket(RawSocket&& other) noexcept { *this = std::move(other); }

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

RawSocket::~RawSocket() { Close(); }

RawSocket RawSocket::Connect(const std::string& address) {
  const int port = std::atoi(address.substr(address.rfind(':') + 1).c_str());
  const sockaddr_in to = Loopback(static_cast<std::uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    close(fd);
    return RawSocket();
  }
  return RawSocket(fd);
}

void RawSocket::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(count);
  }
}

bool RawSocket::Fill() {
  char bytes[4096];
  const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
  if (count <= 0) return false;
  buffer_.append(bytes, count);
  return true;
}

std::string RawSocket::ReadUntil(std::string_view end) {
  std::size_t at;
  while ((at = buffer_.find(end)) == std::string::npos) {
    if (!Fill()) return std::exchange(buffer_, {});
  }
  std::string read = buffer_.substr(0, at + end.size());
  buffer_.erase(0, read.size());
  return read;
}

std::string RawSocket::ReadAnswer() {
  std::string answer = ReadUntil("\r\n\r\n");
  std::size_t at = answer.find("ontent-");
  while (at != std::string::npos && answer.compare(at + 8, 6, "ength:") != 0) {
    at = answer.find("ontent-", at + 1);
  }
  const std::size_t body = at == std::string::npos ? 0 : std::atoi(answer.c_str() + at + 14);
  while (buffer_.size() < body && Fill()) {
  }
  const std::size_t taken = std::min(body, buffer_.size());
  answer += buffer_.substr(0, taken);
  buffer_.erase(0, taken);
  return answer;
}

bool RawSocket::Ended() {
  char byte;
  return recv(fd_, &byte, 1, 0) == 0;
}

void RawSocket::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

RawListener::RawListener(std::uint16_t port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  sockaddr_in address = Loopback(port);
  socklen_t size = sizeof(address);
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 64) != 0) {
    std::abort();
  }
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

std::string RawListener::address() const { return absl::StrCat("127.0.0.1:", port_); }

RawSocket RawListener::Accept() { return RawSocket(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)); }

void RawListener::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

}  // namespace krypton::proxy::testing
