#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grpc {
class Channel;
}

// gRPC as JSON over HTTP, from nothing but descriptors: each RPC with a `google.api.http`
// annotation is a route, each answer the proto3 JSON of its message. It behaves as grpc-gateway
// v2.33.0 does by default; where it does otherwise, README.md says so and why. An RPC that is added
// to a .proto needs no line of code here.
//
// It knows neither sockets nor an HTTP library: whoever reads requests calls Handle and sends what
// comes back.
namespace krypton::transcode {

struct Header {
  std::string name;
  std::string value;
};

// A request, read as a whole. Header names may have any case; a header may come twice.
struct Request {
  std::string method;
  // Origin form as it arrived: path and query, still percent-encoded (RFC 9112 §3.2.1).
  std::string target;
  std::vector<Header> headers;
  std::string body;
  // The client's IP address, for `x-forwarded-for`; empty when it is not known.
  std::string peer;
};

// The body of an answer whose length is not known yet. Belongs to one thread at a time. Destroying
// it before its end cancels the RPC behind it: so the service learns that a client went away.
class BodyStream {
 public:
  enum class State {
    kData,     // `data` is to be sent and flushed now.
    kWaiting,  // Nothing came within the wait; ask again if the client is still there.
    kEnd,      // The body is complete; `trailers` follow it.
  };
  struct Piece {
    State state;
    std::string data;
    std::vector<Header> trailers;
  };
  using NextFunction = std::function<Piece(std::chrono::milliseconds wait)>;

  // `next` owns what the pieces come from.
  explicit BodyStream(NextFunction next) : next_(std::move(next)) {}

  // Blocks until there is something, at most for `wait`. Not to be called after kEnd.
  Piece Next(std::chrono::milliseconds wait) { return next_(wait); }

 private:
  NextFunction next_;
};

// An answer. `headers` hold no Content-Length, Transfer-Encoding or Connection: framing is the
// caller's. With `stream` the body is chunked and `body` is empty.
struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
  std::unique_ptr<BodyStream> stream = nullptr;
};

// One finished request, for metrics. A stream finishes when its BodyStream is destroyed or at its
// end.
struct Outcome {
  // Snake case of the RPC's name (`list_agents`), `openapi`, or `unknown` for a path without a
  // route: a fixed set.
  std::string_view route;
  // Upper case; `OTHER` for a method that no RFC names: a fixed set.
  std::string_view method;
  // HTTP status; for a stream that failed under 200, the status its error maps to.
  int status;
  std::chrono::nanoseconds duration;
  // The request's, or empty.
  std::string_view traceparent;
};

struct Settings {
  // Deadline of a unary RPC whose request has no Grpc-Timeout. grpc-gateway has none.
  std::chrono::milliseconds unary_timeout = std::chrono::seconds(30);
  // How long the head of a stream waits for the first message. grpc-gateway waits for ever; here
  // the caller notices a client that went away only once it has the head.
  std::chrono::milliseconds first_message_wait = std::chrono::seconds(2);
  // More than this is answered 413 (code 8).
  size_t max_body_bytes = 4 << 20;
  // More than this in path and query is answered 414 (code 3).
  size_t max_target_bytes = 64 << 10;
  // Deeper JSON is answered 400.
  int max_json_depth = 64;
  // Only GET routes: for a port that shows and never acts.
  bool read_only = false;
  // Each route also answers under this prefix: /api/v1/agents is /v1/agents. Empty: no alias.
  std::string alias_prefix = "/api";
  // Where OpenApiJson() is served; empty: nowhere.
  std::string openapi_path = "/openapi.json";
  // Title and version in the OpenAPI document.
  std::string title = "Krypton";
  std::string version = "v1";
  // Called once a request, on the thread that ends it; must not block.
  std::function<void(const Outcome&)> on_finished;
};

// The routes of some services and the channel behind them. Immutable: any thread may call, at any
// time. Destroy it after the last answer and its BodyStream.
class Transcoder {
 public:
  // `services` are full names ("krypton.v1.ControlPlaneService") of services linked into this
  // program; one that is not linked, or whose annotation is wrong, ends the process with its name.
  Transcoder(std::shared_ptr<grpc::Channel> channel, const std::vector<std::string>& services,
             Settings settings = {});
  ~Transcoder();
  Transcoder(const Transcoder&) = delete;
  Transcoder& operator=(const Transcoder&) = delete;

  // Blocks for a unary RPC until it has ended, at most for its deadline; for a stream until its
  // first message or `first_message_wait`. Answers every request: an unknown path is a 404 in JSON.
  Response Handle(const Request& request) const;

  // The OpenAPI 3.0 document of all routes.
  const std::string& OpenApiJson() const;

  // All names that Outcome::route may have, so that metrics can start at zero.
  std::vector<std::string> RouteNames() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::transcode
