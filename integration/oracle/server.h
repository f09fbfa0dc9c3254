#pragma once

#include <memory>
#include <string>

namespace grpc {
class Channel;
}

namespace krypton::oracle {

// The C++ server of proto/krypton/oracle/v1/oracle.proto on a loopback port. grpc-gateway and the
// transcoder stand in front of the same one. Stops when it is destroyed.
class Server {
 public:
  // `address` as gRPC takes it; port 0 chooses one. Aborts when it cannot listen.
  explicit Server(const std::string& address);
  ~Server();

  // `127.0.0.1:PORT`.
  const std::string& address() const;
  std::shared_ptr<grpc::Channel> Connect() const;
  // How many RPCs ended because their client cancelled them.
  int cancelled() const;
  // Waits until `count` were cancelled; false after ten seconds.
  bool WaitForCancelled(int count) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::oracle
