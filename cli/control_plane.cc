#include "cli/control_plane.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/strings/cord.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"

namespace krypton::cli {
namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr int kPageSize = 100;

// Calls `list(context, request, response)` page by page.
template <typename Item, typename Response, typename Request, typename Method>
absl::StatusOr<std::vector<Item>> AllPages(const ControlPlane& control_plane, Request request,
                                           Method list) {
  std::vector<Item> items;
  request.set_page_size(kPageSize);
  for (int page = 1;; ++page) {
    request.set_page(page);
    grpc::ClientContext context;
    rpc::SetTimeout(context, kTimeout);
    Response response;
    const grpc::Status status = list(&context, request, &response);
    if (!status.ok()) return control_plane.Explain(status);
    for (Item& item : *response.mutable_items()) items.push_back(std::move(item));
    if (response.items_size() == 0 || static_cast<int>(items.size()) >= response.total()) {
      return items;
    }
  }
}

}  // namespace

absl::StatusOr<ControlPlane> ControlPlane::Connect(const std::string& address,
                                                   const rpc::TlsSettings& tls) {
  const auto channel = rpc::Connect(address, tls);
  if (!channel.ok()) return channel.status();
  return ControlPlane(address, v1::ControlPlaneService::NewStub(*channel));
}

absl::StatusOr<std::vector<v1::Agent>> ControlPlane::Agents(
    const std::string& namespace_filter) const {
  v1::ListAgentsRequest request;
  request.set_namespace_(namespace_filter);
  return AllPages<v1::Agent, v1::ListAgentsResponse>(
      *this, std::move(request), [this](auto* context, const auto& page, auto* response) {
        return stub_->ListAgents(context, page, response);
      });
}

absl::StatusOr<std::vector<v1::Model>> ControlPlane::Models(
    const std::string& namespace_filter) const {
  v1::ListModelsRequest request;
  request.set_namespace_(namespace_filter);
  return AllPages<v1::Model, v1::ListModelsResponse>(
      *this, std::move(request), [this](auto* context, const auto& page, auto* response) {
        return stub_->ListModels(context, page, response);
      });
}

absl::StatusOr<std::vector<v1::EndpointItem>> ControlPlane::Endpoints(
    const std::string& namespace_filter) const {
  v1::ListEndpointsRequest request;
  request.set_namespace_(namespace_filter);
  return AllPages<v1::EndpointItem, v1::ListEndpointsResponse>(
      *this, std::move(request), [this](auto* context, const auto& page, auto* response) {
        return stub_->ListEndpoints(context, page, response);
      });
}

absl::StatusOr<std::vector<v1::ManifestProblem>> ControlPlane::Problems() const {
  grpc::ClientContext context;
  rpc::SetTimeout(context, kTimeout);
  v1::ListManifestProblemsResponse response;
  const grpc::Status status = stub_->ListManifestProblems(&context, {}, &response);
  if (!status.ok()) return Explain(status);
  return std::vector<v1::ManifestProblem>(response.items().begin(), response.items().end());
}

absl::Status ControlPlane::Explain(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
      status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
    absl::Status said = rpc::FromGrpc(status);
    if (!absl::IsNotFound(said)) return said;
    // Of two meshes it may be the other that was meant.
    absl::Status placed =
        absl::NotFoundError(std::string(said.message()) + " at the control plane " + address_);
    said.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
      placed.SetPayload(type, payload);
    });
    return placed;
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      "cannot reach the control plane at " + address_ +
                          "; start a mesh with 'krypton up DIR', or say where it is with "
                          "--control-plane or KRYPTON_CONTROL_PLANE");
}

}  // namespace krypton::cli
