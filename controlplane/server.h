// The control plane as a whole: the registry's stream fills the catalog, the service answers from
// it by gRPC, and the transcoder makes the same calls REST. Used by main() on one thread; what it
// owns runs on threads of its own.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/tls.h"

namespace krypton::controlplane {

struct Settings {
  // Defaults: design.md §4, Ports.
  std::string http_bind_address = ":8090";
  std::string grpc_bind_address = ":7090";
  std::string metrics_bind_address = ":8091";
  std::string manager_address = "127.0.0.1:7070";
  // Where users call the gateway; empty: where the manager says.
  std::string gateway_url;
  rpc::TlsSettings tls;
  // Watches and log readers, by gRPC and REST together.
  int max_streams = 512;
  std::string ready_file;
};

class Server {
 public:
  explicit Server(Settings settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds all three addresses, then writes the ready file. kUnavailable names the address that is
  // taken; kInvalidArgument a wrong setting. Does not wait for the manager.
  absl::Status Start();
  // Not ready, streams end, calls under way finish.
  absl::Status Stop();

 private:
  class Impl;
  const Settings settings_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::controlplane
