// The part of Gateway that knows OpenAI's routes.
#include <string>
#include <utility>

#include "gateway/call.h"
#include "gateway/gateway.h"
#include "gateway/model_call.h"
#include "gateway/model_list.h"
#include "gateway/model_request.h"

namespace krypton::gateway {
namespace {

// As much of a made-up id as an answer repeats.
constexpr size_t kMaxQuoted = 128;

http::Error NoSuchModel(std::string_view id) {
  return {.code = http::ErrorCode::kModelNotFound,
          .message = "the model \"" + std::string(id.substr(0, kMaxQuoted)) + "\" does not exist",
          .param = {}};
}

// OPTIONS is answered (RFC 9110 §9.3.7), without leave for browsers: no page of a stranger may read
// what the models that its reader can reach say.
http::Task<void> RefuseMethod(http::Exchange& exchange, std::string_view allowed) {
  exchange.AddResponseHeader("allow", allowed);
  const std::string method(exchange.request().method);
  if (method == "OPTIONS") {
    co_await exchange.Respond(204, {}, {});
    co_return;
  }
  const http::Error error{.code = http::ErrorCode::kBadRequest,
                          .message = method + " is not allowed here",
                          .status = 405,
                          .param = {}};
  co_await exchange.RespondError(error);
}

}  // namespace

http::Task<void> Gateway::HandleModelCall(http::Exchange& exchange, const Route& route,
                                          const RequestId& id) {
  exchange.set_context(unknown_model_);
  if (exchange.request().method != "POST") {
    co_await RefuseMethod(exchange, "POST, OPTIONS");
    co_return;
  }
  exchange.RequirePace(settings_.model_body_bytes_per_second, settings_.model_body_patience);
  // Parse.
  ScanBudget::Lease lease(scan_budget_);
  ModelName name = co_await ReadModelName(exchange, settings_.model_scan_bytes, lease);
  if (exchange.cancelled() == http::Cancelled::kClientGone) co_return;
  if (name.error) {
    if (name.error->Status() == 503) exchange.AddResponseHeader("x-should-retry", "true");
    co_await exchange.RespondError(*std::move(name.error));
    co_return;
  }
  // Find.
  if (!routes_.synced()) co_await AwaitSnapshot(exchange);
  const ModelRoutePtr model = routes_.models().Find(name.model);
  if (model == nullptr) {
    const http::Error error = NoSuchModel(name.model);
    co_await exchange.RespondError(error);
    co_return;
  }
  exchange.set_context(model->metrics);
  // Wait, and forward.
  ModelCall model_call(exchange, route, *model);
  Call call(*this, exchange, route, id, model->dispatcher, &model_call);
  co_await call.Run();
  call.Count();
}

http::Task<void> Gateway::AnswerModels(http::Exchange& exchange, const Route& route) {
  const std::string_view method = exchange.request().method;
  if (method != "GET" && method != "HEAD") {
    co_await RefuseMethod(exchange, "GET, HEAD, OPTIONS");
    co_return;
  }
  if (!routes_.synced()) co_await AwaitSnapshot(exchange);
  std::string body;
  if (route.kind == RouteKind::kModelList) {
    body = ModelListJson(routes_.models().List());
  } else if (const ModelRoutePtr model = routes_.models().Find(route.key())) {
    body = ModelJson(*model);
  }
  if (body.empty()) {
    const http::Error error = NoSuchModel(route.key());
    co_await exchange.RespondError(error);
    co_return;
  }
  const http::Field fields[] = {{"content-type", "application/json"}};
  co_await exchange.Respond(200, fields, body);
}

}  // namespace krypton::gateway
