// Blocking sockets for tests that have to see each byte: a caller, and an agent's listener. Every
// wait ends after some seconds, with what there is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace krypton::proxy::testing {

class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd);
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&& other) noexcept;
  ~RawSocket();

  // "127.0.0.1:80".
  static RawSocket Connect(const std::string& address);

  void Send(std::string_view bytes);
  // Reads until `end` has come, and returns all so far; less when the peer ends or is silent.
  std::string ReadUntil(std::string_view end);
  // One answer with Content-Length (or none and no body), head and body.
  std::string ReadAnswer();
  // True when the peer has ended, false when it stays silent.
  bool Ended();
  void Close();

 private:
  bool Fill();

  int fd_ = -1;
  std::string buffer_;
};

class RawListener {
 public:
  // Port 0: any.
  explicit RawListener(std::uint16_t port = 0);
  ~RawListener() { Close(); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const;
  RawSocket Accept();
  void Close();

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace krypton::proxy::testing
