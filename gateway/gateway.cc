#include "gateway/gateway.h"

#include <algorithm>
#include <string>

#include "common/resource/key.h"
#include "gateway/call.h"
#include "gateway/request_id.h"
#include "gateway/verdict.h"

namespace krypton::gateway {
namespace {

constexpr milliseconds kSnapshotPoll{20};
constexpr char kBadName[] = "namespace and name must be plain RFC 1123 labels";
constexpr char kNoSuchRoute[] =
    "no such route: agents are at /v1/agents/{namespace}/{name}[/rest], models at "
    "/v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses and /v1/models";

// Names what may be a name; the rest of what strangers send is not repeated.
std::string NoSuchAgent(std::string_view key) {
  const size_t slash = std::min(key.find('/'), key.size());
  const bool named = slash < key.size() && resource::IsDnsLabel(key.substr(0, slash)) &&
                     resource::IsDnsLabel(key.substr(slash + 1));
  if (!named) return "no such agent: namespace and name are RFC 1123 labels";
  return "no agent " + std::string(key);
}

}  // namespace

http::Task<void> Gateway::Handle(http::Exchange& exchange) {
  const http::RequestHead& request = exchange.request();
  const RequestId id(request.fields);
  exchange.AddResponseHeader(RequestId::kField, id.value());
  // Parse.
  const Route route = ParseRoute(request.target);
  if (GatewaysPassed(request.fields) >= settings_.max_hops) {
    exchange.AddResponseHeader("x-should-retry", "false");  // OpenAI's SDKs repeat any 5xx.
    co_await exchange.RespondError(http::ErrorCode::kLoopDetected,
                                   "the request has passed more gateways than --max-hops");
    co_return;
  }
  switch (route.kind) {
    case RouteKind::kAgent:
      co_await HandleAgentCall(exchange, route, id);
      break;
    case RouteKind::kModelCall:
      co_await HandleModelCall(exchange, route, id);
      break;
    case RouteKind::kModelList:
    case RouteKind::kModel:
      co_await AnswerModels(exchange, route);
      break;
    case RouteKind::kBadRequest:
      co_await exchange.RespondError(http::ErrorCode::kBadRequest, kBadName);
      break;
    case RouteKind::kUnknown:
      co_await exchange.RespondError(http::ErrorCode::kAgentNotFound, kNoSuchRoute);
      break;
  }
}

http::Task<void> Gateway::HandleAgentCall(http::Exchange& exchange, const Route& route,
                                          const RequestId& id) {
  // Find.
  DispatcherPtr dispatcher = routes_.FindAgent(route.key());
  if (dispatcher == nullptr && !routes_.synced()) {
    co_await AwaitSnapshot(exchange);
    dispatcher = routes_.FindAgent(route.key());
  }
  if (dispatcher == nullptr) {
    const std::string message = NoSuchAgent(route.key());
    co_await exchange.RespondError(http::ErrorCode::kAgentNotFound, message);
    co_return;
  }
  exchange.set_context(dispatcher->shared_metrics());
  // Wait, and forward.
  Call call(*this, exchange, route, id, std::move(dispatcher));
  co_await call.Run();
  call.Count();
}

http::Task<void> Gateway::AwaitSnapshot(http::Exchange& exchange) {
  const TimePoint deadline = exchange.started() + settings_.first_snapshot_patience;
  http::Event never(exchange.worker());
  while (!routes_.synced() && http::Clock::now() < deadline) {
    const TimePoint next_look = http::Clock::now() + kSnapshotPoll;
    const http::WaitResult result = co_await exchange.WaitFor(never, next_look);
    if (result == http::WaitResult::kCancelled) break;
  }
}

void Gateway::NoteEnd(const http::Exchange& exchange) {
  const int status = exchange.status();
  if (status == 0) return;
  if (exchange.context() == unknown_model_) return metrics_.CountUnknownModel(status);
  if (exchange.context() == nullptr) metrics_.CountUnknown(status);
  // Otherwise it was counted with its agent or model.
}

}  // namespace krypton::gateway
