#include "common/ops/server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "common/http/client.h"
#include "common/http/forward.h"
#include "common/http/server.h"
#include "common/http/workers.h"
#include "common/ops/backend.h"
#include "common/ops/hidden.h"
#include "common/ops/routes.h"

namespace krypton::ops {
namespace {

using http::Task;

constexpr std::chrono::seconds kQuickTimeout{30};
constexpr size_t kMaxQuickBytes = 64 << 20;
// Of /metrics answers that slow readers have not taken yet, together.
constexpr size_t kMaxHeldBytes = 128 << 20;
constexpr size_t kMethodAndVersionBytes = 32;
// What cpp-httplib knows; it would answer others with a page of its own.
constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                      "PATCH", "DELETE", "OPTIONS"};

Task<void> RespondJson(http::Exchange& exchange, int status, std::string body) {
  std::array<http::Field, 2> fields = {
      {{"Content-Type", "application/json"}, {"Retry-After", "1"}}};
  const size_t count = status == 503 ? 2 : 1;
  co_await exchange.Respond(status, std::span(fields).first(count), body);
}

}  // namespace

struct Server::Impl {
  Impl(Settings given, std::shared_ptr<metrics::Registry> registry)
      : settings(std::move(given)),
        routes(settings.component, std::move(registry), settings.ops_routes),
        backend({.threads = settings.threads,
                 .max_streams = std::max(1, settings.threads - settings.reserved_threads),
                 .max_body_bytes = settings.max_body_bytes},
                [this](const transcode::Request& request) { return routes.Answer(request); }),
        // Apart from the threads that carry traffic: a scrape never delays a request.
        workers(1, "ops"),
        client(workers) {}

  http::ServerSettings FrontSettings() const {
    http::ServerSettings to;
    to.bind_address = settings.bind_address;
    to.limits.max_connections = static_cast<int>(settings.max_connections);
    to.limits.max_target_bytes = kMaxLineBytes - kMethodAndVersionBytes;
    to.limits.max_body_bytes = settings.max_body_bytes;
    to.limits.body_timeout = std::chrono::milliseconds(10'000);
    to.limits.write_timeout = std::chrono::milliseconds(10'000);
    to.limits.idle_timeout = std::chrono::milliseconds(90'000);
    return to;
  }

  Task<void> Serve(http::Exchange& exchange) {
    const http::RequestHead& request = exchange.request();
    if (!FitsBackend(request.fields)) {
      co_await exchange.RespondError(http::ErrorCode::kHeadersTooLarge,
                                     "a header field is larger than the limit");
    } else if (routes.IsQuick(request.method, request.path)) {
      co_await ServeQuick(exchange);
    } else {
      co_await ServeOther(exchange);
    }
  }

  // Takes the whole answer off the backend first, so that no slow reader holds one of its threads.
  Task<void> ServeQuick(http::Exchange& exchange) {
    if (held_bytes > kMaxHeldBytes) {
      co_await RespondJson(exchange, 503, R"({"code":8,"message":"too busy","details":[]})");
      co_return;
    }
    const http::Fields& fields = exchange.request().fields;
    const std::string accept = http::EscapePercent(fields.Get("accept"));
    const std::string accept_encoding = http::EscapePercent(fields.Get("accept-encoding"));
    http::Client::Request request;
    request.target = std::string(exchange.request().target);
    request.fields = {{"accept", accept}, {kAcceptEncodingField, accept_encoding}};
    request.max_body_bytes = kMaxQuickBytes;
    const auto response = co_await client.Call(*endpoint, std::move(request),
                                               exchange.worker().Now() + kQuickTimeout);
    if (!response.ok()) {
      co_await RespondJson(exchange, 503, R"({"code":14,"message":"no answer","details":[]})");
      co_return;
    }
    std::vector<http::Field> answer;
    for (const http::Field& field : response->head.fields) {
      const bool framing = http::EqualsIgnoreCase(field.name, "content-length") ||
                           http::EqualsIgnoreCase(field.name, "connection") ||
                           http::EqualsIgnoreCase(field.name, "keep-alive");
      if (!framing) answer.push_back(field);
    }
    held_bytes += response->body.size();
    co_await exchange.Respond(response->head.status, answer, response->body);
    held_bytes -= response->body.size();
  }

  Task<void> ServeOther(http::Exchange& exchange) {
    const http::RequestHead& request = exchange.request();
    if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
      co_await RespondJson(exchange, 501,
                           R"({"code":12,"message":"Method Not Allowed","details":[]})");
      co_return;
    }
    // Two threads are always left for the quick ones.
    if (others >= std::max(1, settings.threads - 2)) {
      co_await RespondJson(
          exchange, 503,
          R"({"code":14,"message":"too many requests at once; try again","details":[]})");
      co_return;
    }
    const std::string peer(exchange.peer());
    http::CollectSettings collect;
    collect.max_body_bytes = settings.max_body_bytes;
    // No deadline: handlers and transcoded RPCs have their own, and streams have none.
    collect.set_fields.push_back({kPeerField, peer});
    for (const auto& [hidden, name] : {std::pair(kAcceptEncodingField, "accept-encoding"),
                                       std::pair(kContentTypeField, "content-type")}) {
      if (request.fields.Has(name)) {
        collect.set_fields.push_back({hidden, request.fields.Get(name)});
      }
    }
    // Ends at each connection, and here the two are one: the transcoder shall know.
    if (http::EqualsIgnoreCase(request.fields.Get("te"), "trailers")) {
      collect.set_fields.push_back({"te", "trailers"});
    }
    collect.drop_fields = kDroppedFields;
    ++others;
    co_await http::ForwardCollected(exchange, client, *endpoint, std::move(collect));
    --others;
  }

  const Settings settings;
  Routes routes;
  Backend backend;
  http::Workers workers;
  http::Client client;
  std::optional<http::Endpoint> endpoint;
  std::unique_ptr<http::Server> front;
  // On the one worker's thread.
  size_t held_bytes = 0;
  int others = 0;
  bool started = false;
};

Server::Server(Settings settings, std::shared_ptr<metrics::Registry> registry)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(registry))) {}

Server::~Server() { Stop(); }

void Server::AddReadinessNote(std::string name, std::function<std::string()> note) {
  impl_->routes.AddReadinessNote(std::move(name), std::move(note));
}

void Server::AddReadinessCheck(std::string name, std::function<absl::Status()> check) {
  impl_->routes.AddReadinessCheck(std::move(name), std::move(check));
}

void Server::AddLivenessCheck(std::string name, std::function<absl::Status()> check) {
  impl_->routes.AddLivenessCheck(std::move(name), std::move(check));
}

void Server::Handle(std::string method, std::string path, Handler handler) {
  impl_->routes.Handle(std::move(method), std::move(path), std::move(handler));
}

void Server::AddTranscoder(std::shared_ptr<transcode::Transcoder> transcoder) {
  impl_->routes.SetTranscoder(std::move(transcoder));
}

absl::StatusOr<config::HostPort> Server::Start() {
  const auto path = impl_->backend.Start();
  if (!path.ok()) return path.status();
  auto endpoint = http::Endpoint::Parse(*path);
  if (!endpoint.ok()) return endpoint.status();
  impl_->endpoint = *std::move(endpoint);
  impl_->workers.Start();
  impl_->started = true;
  impl_->front = std::make_unique<http::Server>(
      impl_->workers, impl_->FrontSettings(),
      [impl = impl_.get()](http::Exchange& exchange) { return impl->Serve(exchange); });
  const auto bound = impl_->front->Start();
  if (!bound.ok()) return bound.status();
  return config::ParseHostPort(*bound);
}

void Server::SetDraining() { impl_->routes.SetDraining(); }

void Server::Stop() {
  if (!std::exchange(impl_->started, false)) return impl_->backend.Stop();
  SetDraining();
  const auto now = http::Clock::now();
  impl_->front->Drain(now + std::chrono::milliseconds(500), now + std::chrono::seconds(1));
  impl_->front->Stop();
  impl_->backend.Stop();
  impl_->workers.Stop();
}

}  // namespace krypton::ops
