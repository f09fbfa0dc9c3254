// What the tests of common/http (and of components on top of it) stand on: a raw client and a raw
// origin that say and read bytes exactly, and a server with its workers. Blocking, with deadlines.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/http/client.h"
#include "common/http/forward.h"
#include "common/http/server.h"
#include "common/http/workers.h"

namespace krypton::http::testing {

inline constexpr milliseconds kPatience{5'000};

// One end of a TCP connection.
class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~RawSocket() { Close(); }

  static RawSocket Connect(const std::string& address);

  bool Send(std::string_view bytes);
  // What arrives next; empty at the end of the connection or when patience ends.
  std::string Receive(milliseconds patience = kPatience);
  // Reads until `text` was seen, or the connection or patience ends.
  std::string ReceiveUntil(std::string_view text, milliseconds patience = kPatience);
  std::string ReceiveAll(milliseconds patience = kPatience);
  // Waits for the end of the connection; drops what comes before.
  bool WaitForEof(milliseconds patience = kPatience);
  void ShutdownWrite();
  void Reset();  // Closes with RST.
  void Close();
  bool saw_eof() const { return eof_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  bool eof_ = false;
};

// A response as it came over the wire.
struct RawResponse {
  int status = 0;
  std::string head;
  std::string body;
  std::string Field(std::string_view name) const;
};
// Reads one response; framing by Content-Length, chunked (the body is decoded) or the connection's
// end. Status 0: there was none.
RawResponse ReadResponse(RawSocket& socket, bool head_request = false);

// A server whose every connection is played by `script` on a thread of its own.
class Origin {
 public:
  using Script = std::function<void(RawSocket& socket)>;
  explicit Origin(Script script);
  ~Origin();

  const std::string& address() const { return address_; }
  int connections() const { return connections_; }

 private:
  void Accept();

  Script script_;
  std::string address_;
  int listener_ = -1;
  std::atomic<int> connections_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::pair<std::thread, int>> threads_;
  std::thread acceptor_;
};

// Reads a request head and, by its Content-Length or chunked framing, its body: the bytes as sent.
std::string ReadRequest(RawSocket& socket);

// Workers, a Client and a Server around one handler.
class Fixture {
 public:
  using ClientHandler = std::function<Task<void>(Exchange&, Client&)>;
  explicit Fixture(ClientHandler handler, ServerSettings settings = {}, int workers = 1,
                   ClientSettings client_settings = {});
  ~Fixture();

  RawSocket Connect() const { return RawSocket::Connect(address); }

  Workers workers;
  std::unique_ptr<Client> client;
  std::unique_ptr<Server> server;
  std::string address;
};

}  // namespace krypton::http::testing
