// The small HTTP server that each process has beside its work: /metrics, /healthz, /readyz,
// /version, plain routes of the component, and its RPCs as JSON. cpp-httplib does the work; it
// listens on a private Unix socket and never meets the network: the front (common/http) reads,
// checks and bounds each request on the TCP port and forwards it whole. The control plane's REST
// port is a second such server.
//
// Declare checks, routes and transcoders, then Start. Handlers run on a bounded pool of threads, of
// which long answers (a watch) may take all but a reserve, so /metrics always answers. Stop, or the
// destructor, ends open streams and waits for the handlers.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/address.h"
#include "common/metrics/registry.h"

namespace krypton::transcode {
class Transcoder;
}

namespace krypton::ops {

struct Request {
  std::string method;
  std::string path;  // decoded
  std::multimap<std::string, std::string> query;
  // Value of the first header of this name, in any case; empty when there is none.
  std::function<std::string(std::string_view name)> header;
  std::string body;
  std::string remote_address;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

using Handler = std::function<Response(const Request&)>;

class Server {
 public:
  struct Settings {
    std::string bind_address = "127.0.0.1:0";
    std::string component;   // for /version
    bool ops_routes = true;  // false: no /metrics, /healthz, /readyz, /version (the REST port)
    int threads = 16;        // of which `reserved` are never given to long answers
    int reserved_threads = 4;
    size_t max_body_bytes = 4 << 20;
    size_t max_connections = 1024;
  };

  // `registry` is what /metrics shows.
  Server(Settings settings, std::shared_ptr<metrics::Registry> registry);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A line of /readyz, which is 200 when all are OK. `check` runs on any thread, at once.
  void AddReadinessCheck(std::string name, std::function<absl::Status()> check);
  // A line of /readyz that never makes it fail: what the process does without. Empty: all is well.
  void AddReadinessNote(std::string name, std::function<std::string()> note);
  // /healthz fails, and the process is to be started again, while `check` fails: for what only a
  // restart cures. Never for a peer that is down. Without checks it is always 200.
  void AddLivenessCheck(std::string name, std::function<absl::Status()> check);
  // A route; `path` is literal. HEAD is answered by GET's handler.
  void Handle(std::string method, std::string path, Handler handler);
  // Answers every path that no route takes; without one, that is a 404. At most one.
  void AddTranscoder(std::shared_ptr<transcode::Transcoder> transcoder);

  // Binds and serves. kUnavailable naming the address when it is taken. Once.
  absl::StatusOr<config::HostPort> Start();
  // /readyz fails from now on: the process is draining.
  void SetDraining();
  // Idempotent.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::ops
