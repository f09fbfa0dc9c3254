// Client: connections to endpoints, kept alive and pooled per worker and endpoint. One Client
// serves all workers of a Workers; each touches only its own part. The Workers must be stopped
// before it is destroyed. Idle connections are watched: one that the endpoint closes leaves the
// pool at once, so that a request hardly ever meets a dead one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/http/message.h"
#include "common/http/task.h"
#include "common/http/workers.h"

namespace krypton::http {

// Where a connection goes: "10.0.0.7:8889", "[::1]:80", or the path of a Unix socket. Addresses are
// numeric: nothing here resolves names. Cheap to copy; made once, not per request.
class Endpoint {
 public:
  static absl::StatusOr<Endpoint> Parse(std::string_view address);

  const std::string& address() const { return address_; }
  const std::string& sockaddr_bytes() const { return sockaddr_; }
  bool operator==(const Endpoint& other) const { return address_ == other.address_; }

 private:
  std::string address_;
  std::string sockaddr_;  // The bytes of a sockaddr of the kernel.
};

struct ClientSettings {
  int max_idle_per_endpoint = 512;      // A worker: above what concurrency lets one endpoint have.
  int max_idle = 2048;                  // A worker, all endpoints together; the oldest goes.
  milliseconds idle_timeout{55'000};    // Below the 60 s after which many servers close.
  milliseconds connect_timeout{2'000};  // Pods are near: a SYN that is lost is tried again at 1 s.
  size_t max_head_bytes = 64 << 10;     // Of an answer.
  int max_fields = 400;
};

struct UpstreamConnection;

class Client {
 public:
  Client(Workers& workers, ClientSettings settings = {});
  ~Client();

  const ClientSettings& settings() const;

  // Whether something accepts connections there. The connection is kept for the first request.
  Task<absl::Status> Probe(Endpoint endpoint, milliseconds timeout);

  // One small request and its whole answer, for what is not a forwarded exchange (a probe by HTTP,
  // an agent card). `fields` are sent as given, with Host and Content-Length added.
  // kDeadlineExceeded, kUnavailable, kResourceExhausted (an answer longer than max_body_bytes).
  struct Request {
    std::string method = "GET";
    std::string target = "/";
    std::string host = "localhost";
    std::vector<Field> fields;
    std::string body;
    size_t max_body_bytes = 1 << 20;
  };
  struct Response {
    ResponseHead head;
    std::string body;
  };
  Task<absl::StatusOr<Response>> Call(Endpoint endpoint, Request request, TimePoint deadline);

  // Closes the idle connections of an endpoint that has gone (any thread).
  void Forget(const Endpoint& endpoint);

  // Closes all idle connections. Requires: the workers run, and no request is under way. Not from a
  // worker. Workers::Stop comes after it; the destructor does it too while the workers still run.
  void Close();

  // For forward.cc.
  class Pool;
  Pool& pool(Worker& worker);

 private:
  Workers& workers_;
  ClientSettings settings_;
  std::vector<std::unique_ptr<Pool>> pools_;
};

}  // namespace krypton::http
