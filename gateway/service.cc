#include "gateway/service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>

#include "common/http/server.h"
#include "common/http/workers.h"
#include "common/resource/key.h"
#include "common/rpc/status.h"
#include "gateway/invoke.h"
#include "gateway/invoke_reactor.h"
#include "krypton/v1/gateway.grpc.pb.h"

namespace krypton::gateway {
namespace {

constexpr int kDefaultPageSize = 20;
constexpr int kMaxPageSize = 100;

absl::Status ListRoutes(const RouteTable& routes, const v1::ListRoutesRequest& request,
                        v1::ListRoutesResponse& response) {
  if (request.page() < 0) return rpc::InvalidField("page", "page is counted from 1");
  if (request.page_size() < 0) return rpc::InvalidField("page_size", "page_size is negative");
  const int page = std::max(request.page(), 1);
  const int page_size =
      request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize);
  std::vector<DispatcherPtr> agents = *routes.List();
  std::erase_if(agents, [&](const DispatcherPtr& agent) {
    return !request.namespace_().empty() && agent->key().namespace_() != request.namespace_();
  });
  const int64_t total = static_cast<int64_t>(agents.size());
  const int64_t first = int64_t{page - 1} * page_size;
  for (int64_t i = first; i < std::min(first + page_size, total); ++i) {
    *response.add_items() = agents[i]->Describe();
  }
  response.set_page(page);
  response.set_page_size(page_size);
  response.set_total(static_cast<int32_t>(total));
  response.set_registry_version(routes.registry_version());
  return absl::OkStatus();
}

absl::Status GetRoute(const RouteTable& routes, const v1::GetRouteRequest& request,
                      v1::GetRouteResponse& response) {
  const v1::ResourceKey key = resource::AgentKey(request.namespace_(), request.name());
  if (request.namespace_().empty()) return rpc::InvalidField("namespace", "namespace is empty");
  if (request.name().empty()) return rpc::InvalidField("name", "name is empty");
  const std::string name = resource::ToString(key);
  DispatcherPtr found = routes.FindAgent(name);
  if (const ModelRoutePtr model = routes.models().Find(name);
      found == nullptr && model != nullptr) {
    found = model->dispatcher;
  }
  if (found == nullptr) {
    return rpc::Error(absl::StatusCode::kNotFound, "AGENT_NOT_FOUND",
                      resource::Describe(key) + " does not exist",
                      {{"agent", resource::ToString(key)}});
  }
  *response.mutable_route() = found->Describe();
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* context,
                                     const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

}  // namespace

class Service::Impl final : public v1::GatewayService::CallbackService {
 public:
  Impl(const RouteTable& routes, http::Server& traffic, http::Workers& workers)
      : routes_(routes), traffic_(traffic), workers_(workers) {}

  grpc::ServerWriteReactor<v1::InvokeResponse>* Invoke(grpc::CallbackServerContext* context,
                                                       const v1::InvokeRequest* request) override {
    auto local = ToHttp(*request, context->peer());
    if (!local.ok()) return new InvokeReactor(local.status());
    const uint32_t turn = next_worker_.fetch_add(1, std::memory_order_relaxed);
    http::Worker& worker = workers_[static_cast<int>(turn % workers_.size())];
    return new InvokeReactor(request->namespace_() + "/" + request->name(), traffic_, worker,
                             *std::move(local));
  }

  grpc::ServerUnaryReactor* ListRoutes(grpc::CallbackServerContext* context,
                                       const v1::ListRoutesRequest* request,
                                       v1::ListRoutesResponse* response) override {
    return FinishWith(context, gateway::ListRoutes(routes_, *request, *response));
  }
  grpc::ServerUnaryReactor* GetRoute(grpc::CallbackServerContext* context,
                                     const v1::GetRouteRequest* request,
                                     v1::GetRouteResponse* response) override {
    return FinishWith(context, gateway::GetRoute(routes_, *request, *response));
  }

 private:
  absl::StatusOr<http::LocalRequest> ToHttp(const v1::InvokeRequest& request,
                                            const std::string& peer) const {
    const std::string key = request.namespace_() + "/" + request.name();
    const bool is_model =
        routes_.FindAgent(key) == nullptr && routes_.models().Find(key) != nullptr;
    return is_model ? ToModelRequest(request, peer, routes_.models())
                    : ToLocalRequest(request, peer);
  }

  const RouteTable& routes_;
  http::Server& traffic_;
  http::Workers& workers_;
  std::atomic<uint32_t> next_worker_{0};
};

Service::Service(const RouteTable& routes, http::Server& traffic, http::Workers& workers)
    : impl_(std::make_unique<Impl>(routes, traffic, workers)) {}
Service::~Service() = default;

grpc::Service* Service::grpc_service() { return impl_.get(); }

}  // namespace krypton::gateway
