#include "common/http/testing.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "common/http/address.h"
#include "common/http/chunked.h"
#include "common/http/message.h"

namespace krypton::http::testing {

RawSocket RawSocket::Connect(const std::string& address) {
  const std::string bytes = *ToSockaddr(address);
  const auto* raw = reinterpret_cast<const sockaddr*>(bytes.data());
  RawSocket socket(::socket(raw->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.fd_, raw, static_cast<socklen_t>(bytes.size())) != 0) socket.Close();
  return socket;
}

bool RawSocket::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string RawSocket::Receive(milliseconds patience) {
  pollfd poll_fd{fd_, POLLIN, 0};
  if (fd_ < 0 || ::poll(&poll_fd, 1, static_cast<int>(patience.count())) <= 0) return {};
  char buffer[65536];
  const ssize_t received = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (received <= 0) {
    eof_ = true;
    return {};
  }
  return std::string(buffer, static_cast<size_t>(received));
}

std::string RawSocket::ReceiveUntil(std::string_view text, milliseconds patience) {
  const TimePoint deadline = Clock::now() + patience;
  std::string all;
  while (all.find(text) == std::string::npos) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) break;
    const std::string piece = Receive(left);
    if (piece.empty()) break;
    all += piece;
  }
  return all;
}

std::string RawSocket::ReceiveAll(milliseconds patience) {
  std::string all;
  for (std::string piece = Receive(patience); !piece.empty(); piece = Receive(patience)) {
    all += piece;
  }
  return all;
}

bool RawSocket::WaitForEof(milliseconds patience) {
  const TimePoint deadline = Clock::now() + patience;
  while (!eof_ && Clock::now() < deadline) Receive(milliseconds(50));
  return eof_;
}

void RawSocket::ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }

void RawSocket::Reset() {
  // Disconnecting sends RST at once, whoever else holds the descriptor.
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  ::connect(fd_, &none, sizeof(none));
  Close();
}

void RawSocket::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

std::string FieldOf(std::string_view head, std::string_view name) {
  size_t start = head.find("\r\n");
  while (start != std::string_view::npos && start + 2 < head.size()) {
    start += 2;
    const size_t end = head.find("\r\n", start);
    const std::string_view line = head.substr(start, end - start);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && EqualsIgnoreCase(line.substr(0, colon), name)) {
      const size_t value = line.find_first_not_of(" \t", colon + 1);
      return value == std::string_view::npos ? "" : std::string(line.substr(value));
    }
    start = end;
  }
  return {};
}

// Reads byte by byte up to the empty line, so that nothing of what follows is taken.
std::string ReadHeadBytes(RawSocket& socket) {
  std::string head;
  while (head.size() < 4 || head.compare(head.size() - 4, 4, "\r\n\r\n") != 0) {
    pollfd poll_fd{socket.fd(), POLLIN, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(kPatience.count())) <= 0) return {};
    char c;
    if (::recv(socket.fd(), &c, 1, 0) != 1) return {};
    head.push_back(c);
  }
  return head;
}

std::string ReadBytes(RawSocket& socket, size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    pollfd poll_fd{socket.fd(), POLLIN, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(kPatience.count())) <= 0) break;
    char buffer[65536];
    const ssize_t received =
        ::recv(socket.fd(), buffer, std::min(sizeof(buffer), count - bytes.size()), 0);
    if (received <= 0) break;
    bytes.append(buffer, static_cast<size_t>(received));
  }
  return bytes;
}

// Reads a chunked body; returns it as sent and, in `decoded`, without framing.
std::string ReadChunked(RawSocket& socket, std::string& decoded) {
  std::string raw;
  BodyDecoder decoder;
  decoder.Start(Framing::kChunked, 0, {});
  while (decoder.state() == BodyDecoder::State::kMore) {
    const std::string byte = ReadBytes(socket, 1);
    if (byte.empty()) break;
    raw += byte;
    decoded += decoder.Next(byte).piece;
  }
  return raw;
}

}  // namespace

std::string RawResponse::Field(std::string_view name) const { return FieldOf(head, name); }

RawResponse ReadResponse(RawSocket& socket, bool head_request) {
  RawResponse response;
  response.head = ReadHeadBytes(socket);
  if (response.head.size() < 12) return response;
  response.status = std::atoi(response.head.c_str() + 9);
  if (head_request || response.status < 200 || response.status == 204 || response.status == 304) {
    return response;
  }
  const std::string length = response.Field("content-length");
  if (EqualsIgnoreCase(response.Field("transfer-encoding"), "chunked")) {
    ReadChunked(socket, response.body);
  } else if (!length.empty()) {
    response.body = ReadBytes(socket, std::strtoul(length.c_str(), nullptr, 10));
  } else {
    response.body = socket.ReceiveAll();
  }
  return response;
}

std::string ReadRequest(RawSocket& socket) {
  std::string request = ReadHeadBytes(socket);
  const std::string length = FieldOf(request, "content-length");
  std::string decoded;
  if (EqualsIgnoreCase(FieldOf(request, "transfer-encoding"), "chunked")) {
    request += ReadChunked(socket, decoded);
  } else if (!length.empty()) {
    request += ReadBytes(socket, std::strtoul(length.c_str(), nullptr, 10));
  }
  return request;
}

Origin::Origin(Script script) : script_(std::move(script)) {
  const std::string any = *ToSockaddr("127.0.0.1:0");
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(listener_, reinterpret_cast<const sockaddr*>(any.data()),
         static_cast<socklen_t>(any.size()));
  ::listen(listener_, 128);
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&storage), &size);
  address_ = FromSockaddr({reinterpret_cast<const char*>(&storage), size});
  acceptor_ = std::thread([this] { Accept(); });
}

void Origin::Accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 || stop_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    ++connections_;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int copy = ::dup(fd);  // To end the script's waiting by, whatever it did with its own.
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::thread([this, fd] {
                            RawSocket socket(fd);
                            script_(socket);
                            if (socket.fd() >= 0) ::shutdown(socket.fd(), SHUT_RDWR);
                          }),
                          copy);
  }
}

Origin::~Origin() {
  stop_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (auto& [thread, fd] : threads_) {
    ::shutdown(fd, SHUT_RDWR);
    thread.join();
    ::close(fd);
  }
}

Fixture::Fixture(ClientHandler handler, ServerSettings settings, int worker_count,
                 ClientSettings client_settings)
    : workers(worker_count) {
  workers.Start();
  client = std::make_unique<Client>(workers, client_settings);
  server = std::make_unique<Server>(workers, std::move(settings),
                                    [this, handler = std::move(handler)](Exchange& exchange) {
                                      return handler(exchange, *client);
                                    });
  const absl::StatusOr<std::string> bound = server->Start();
  EXPECT_TRUE(bound.ok()) << bound.status();
  if (bound.ok()) address = *bound;
}

Fixture::~Fixture() {
  server->Stop();
  client->Close();
  workers.Stop();
}

}  // namespace krypton::http::testing
