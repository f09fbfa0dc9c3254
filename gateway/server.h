// Server is the gateway as a whole: it owns the parts, starts them in the order in which they need
// each other, and takes them down again. Start, then Stop, from one thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/tls.h"

namespace krypton::gateway {

struct ServerSettings {
  std::string manager_address = "127.0.0.1:7070";
  std::string http_bind_address = ":8080";     // design.md §4, Ports.
  std::string grpc_bind_address = ":7080";     // Likewise.
  std::string metrics_bind_address = ":8081";  // Likewise.
  int max_buffer_per_agent = 1024;
  // An entry is a session's name and a replica's, some 200 bytes.
  int max_sessions_per_agent = 8192;
  std::chrono::milliseconds default_startup_timeout{30'000};  // design.md §4, Agent.
  int model_scan_memory_bytes = 256 << 20;  // 4 KiB for each of --max-connections.
  int model_scan_bytes = 1 << 20;           // A 413 beyond.
  int model_body_rate = 500;                // Bytes a second; Apache's mod_reqtimeout.
  int max_hops = 16;                        // design.md §5, Loops.
  std::vector<std::string> trusted_proxies;
  std::chrono::milliseconds drain_delay{5'000};     // design.md §5, Draining.
  std::chrono::milliseconds drain_timeout{25'000};  // conventions.md §9, order of a pod's end.
  int threads = 0;
  int max_connections = 65'536;
  std::chrono::milliseconds header_timeout{10'000};  // conventions.md §5, limits and slow peers.
  std::chrono::milliseconds body_timeout{60'000};
  std::string ready_file;
  rpc::TlsSettings tls;
};

class Server {
 public:
  explicit Server(ServerSettings settings);
  ~Server();

  // kInvalidArgument for a wrong setting, kUnavailable for a port that is taken.
  absl::Status Start();
  // Serves on for the drain delay, then lets requests and streams end, and stops.
  absl::Status Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::gateway
