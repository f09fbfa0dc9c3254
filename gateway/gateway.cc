#include "gateway/gateway.h"

#include "gateway/call.h"
#include "gateway/model_list.h"
#include "gateway/request_id.h"
#include "gateway/verdict.h"

namespace krypton::gateway {
namespace {

constexpr milliseconds kSnapshotPoll{20};

}  // namespace

http::Task<void> Gateway::Handle(http::Exchange& exchange) {
  const http::RequestHead& request = exchange.request();
  const RequestId id(request.fields);
  exchange.AddResponseHeader(RequestId::kField, id.value());
  // Parse.
  const Route route = ParseRoute(request.target);
  if (route.kind != RouteKind::kAgent) {
    co_await AnswerOtherRoute(exchange, route);
    co_return;
  }
  if (GatewaysPassed(request.fields) >= settings_.max_hops) {
    co_await exchange.RespondError(http::ErrorCode::kLoopDetected,
                                   "the request has passed more gateways than --max-hops");
    co_return;
  }
  // Find.
  DispatcherPtr dispatcher = routes_.FindAgent(route.key());
  if (dispatcher == nullptr && !routes_.synced()) {
    dispatcher = co_await FindLater(exchange, route);
  }
  if (dispatcher == nullptr) {
    co_await exchange.RespondError(http::ErrorCode::kAgentNotFound, "no such agent");
    co_return;
  }
  exchange.set_context(dispatcher->shared_metrics());
  // Wait, and forward.
  Call call(*this, exchange, route, id, std::move(dispatcher));
  co_await call.Run();
  call.Count();
}

http::Task<DispatcherPtr> Gateway::FindLater(http::Exchange& exchange, Route route) {
  const TimePoint deadline = exchange.started() + settings_.first_snapshot_patience;
  http::Event never(exchange.worker());
  while (!routes_.synced() && http::Clock::now() < deadline) {
    const TimePoint next_look = http::Clock::now() + kSnapshotPoll;
    const http::WaitResult result = co_await exchange.WaitFor(never, next_look);
    if (result == http::WaitResult::kCancelled) break;
  }
  co_return routes_.FindAgent(route.key());
}

http::Task<void> Gateway::AnswerOtherRoute(http::Exchange& exchange, Route route) {
  switch (route.kind) {
    case RouteKind::kBadRequest:
      co_await exchange.RespondError(http::ErrorCode::kBadRequest,
                                     "namespace and name must be plain RFC 1123 labels");
      break;
    case RouteKind::kModelList:
      co_await AnswerModelList(exchange, routes_);
      break;
    case RouteKind::kModel:
      co_await exchange.RespondError(http::ErrorCode::kModelNotFound, "no such model");
      break;
    default:
      co_await exchange.RespondError(
          http::ErrorCode::kAgentNotFound,
          "no such route: agents are at /v1/agents/{namespace}/{name}[/rest]");
  }
}

void Gateway::NoteEnd(const http::Exchange& exchange) {
  if (exchange.context() != nullptr) return;  // Counted with its agent.
  const int status = exchange.status();
  if (status != 0) metrics_.CountUnknown(status);
}

}  // namespace krypton::gateway
