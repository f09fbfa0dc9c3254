// Proxy is the sidecar as a whole: it owns the parts, starts them in the order in which they need
// each other, and takes them down again. Start, then Stop, from one thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/tls.h"

namespace krypton::proxy {

struct ProxySettings {
  std::string http_bind_address = ":8889";     // design.md §4, Ports.
  std::string metrics_bind_address = ":8888";  // Likewise.
  std::string agent_address = "127.0.0.1:8080";
  std::string kind = "agent";
  std::string agent_namespace = "default";
  std::string name;
  std::string instance;
  int concurrency = 8;
  int max_streams = 256;
  std::chrono::milliseconds timeout{60'000};
  std::string manager_address = "127.0.0.1:7070";
  std::chrono::milliseconds drain_timeout{25'000};
  std::chrono::milliseconds probe_interval{5};
  // Empty: of a model its health path, of an agent none.
  std::string ready_path;
  std::string ready_file;
  std::string drain_token;
  int threads = 1;
  rpc::TlsSettings tls;
  // Proves to the manager which pod this is; empty: nothing does.
  std::string token_file;
};

class Proxy {
 public:
  explicit Proxy(ProxySettings settings);
  ~Proxy();

  // kInvalidArgument for a wrong setting, kUnavailable for a port that is taken.
  absl::Status Start();
  // Where it listens, once it is started: "127.0.0.1:40123".
  const std::string& http_address() const;
  const std::string& ops_address() const;
  // Drains, ends the streams by their protocol, and stops.
  absl::Status Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::proxy
