// A connection for the tests here: bytes written and read, and what was read so far.
#pragma once

#include <string>
#include <string_view>

#include "common/http/testing.h"

namespace krypton::ops::testing {

class Connection {
 public:
  // HOST:PORT, or the path of a Unix socket.
  explicit Connection(const std::string& address)
      : socket_(http::testing::RawSocket::Connect(address)) {}

  void Send(std::string_view bytes) { socket_.Send(bytes); }
  void Close() { socket_.Close(); }
  // Everything so far, once `text` is in it or the connection has ended.
  std::string ReadUntil(std::string_view text) {
    while (received_.find(text) == std::string::npos) {
      const std::string piece = socket_.Receive(kPatience);
      if (piece.empty()) break;
      received_ += piece;
    }
    return received_;
  }
  std::string ReadAll() {
    received_ += socket_.ReceiveAll(kPatience);
    return received_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};

  http::testing::RawSocket socket_;
  std::string received_;
};

}  // namespace krypton::ops::testing
