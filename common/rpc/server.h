// A gRPC server as every component has one: the given services (callback API), health checking for
// "" and for each service by name, reflection, keepalive rules that match channel.h, limits, mutual
// TLS where the flags say so. Owned by the component; the services must outlive it. Start and
// Shutdown from one thread, the rest from any. Destroying a started server shuts it down at once.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/address.h"
#include "common/rpc/tls.h"

namespace grpc {
class Channel;
class Service;
}  // namespace grpc

namespace krypton::rpc {

class Server {
 public:
  struct Settings {
    std::string bind_address = "127.0.0.1:0";  // port 0: choose one
    TlsSettings tls;
    int max_receive_bytes = 4 << 20;  // gRPC's own default; a message beyond is RESOURCE_EXHAUSTED
    int max_streams_per_connection = 1024;
    size_t memory_quota_bytes = 256 << 20;  // for all of the server's buffers together
    // Connections are renewed after this, so that clients spread over new servers.
    std::chrono::minutes max_connection_age{30};
  };

  Server(Settings settings, std::vector<grpc::Service*> services);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds and serves; health says SERVING. Returns the bound address with its real port.
  // kUnavailable naming the address when it is taken; kInvalidArgument for a wrong address or TLS
  // file. Once.
  absl::StatusOr<config::HostPort> Start();

  // A channel to this server without a socket; for the transcoder and tests. Requires: started.
  std::shared_ptr<grpc::Channel> InProcessChannel();

  // What health says from now on, for "" and each service.
  void SetServing(bool serving);

  // Health says NOT_SERVING, new calls are refused, running ones may finish until `grace` is over
  // and are then cancelled. Blocks until all have ended. Idempotent.
  void Shutdown(std::chrono::milliseconds grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::rpc
