// Requests over kept TLS connections to one API server: cpp-httplib, and what it leaves open. The
// server's certificate is always verified, against the configured authority alone and for the
// configured name; a request can be cancelled at any moment; an idle connection that the server has
// closed is not used again. No retries, no rate limit: client.h has them. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "manager/platform/kubernetes/client/config.h"

namespace krypton::kube {

struct HttpRequest {
  std::string method;
  std::string target;  // path and query, encoded
  std::string token;   // empty: no Authorization
  std::string content_type;
  std::string body;
  // Between two reads of the answer.
  std::chrono::milliseconds read_timeout{30'000};
  std::stop_token stop;
  // Asked when all but the body is sent; an error is the result and the body is not sent. Requires:
  // a body.
  std::function<absl::Status()> gate;
  // Gets the pieces of a successful answer's body as they come; false ends it. Without it, the body
  // is collected.
  std::function<bool(std::string_view piece)> receive;
};

struct HttpAnswer {
  int code = 0;
  std::string body;
  std::string retry_after;  // the header
};

struct TransportSettings {
  std::chrono::milliseconds connect_timeout{5'000};
  size_t max_answer_bytes = 64 << 20;
  size_t max_idle_connections = 8;
  std::string user_agent;
};

class Transport {
 public:
  Transport(const Config& config, TransportSettings settings);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // UNAVAILABLE: no connection, or it broke; WasSent tells which. CANCELLED: `stop`, Shutdown, or
  // `receive` said false.
  absl::StatusOr<HttpAnswer> Send(const HttpRequest& request);

  // Cancels what runs and refuses what comes.
  void Shutdown();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether the server may have read the request that ended with `status`.
bool WasSent(const absl::Status& status);

}  // namespace krypton::kube
