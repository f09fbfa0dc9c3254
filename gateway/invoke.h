// GatewayService.Invoke: the call as an HTTP request of this process to its own traffic server
// (common/http/local_call.h), so that queue, balancing, deadlines and metrics are the same, and the
// answer as a stream of parts. Pure functions here; service.cc has the reactor.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/http/local_call.h"
#include "common/http/message.h"
#include "gateway/model_table.h"
#include "krypton/v1/gateway.pb.h"

namespace krypton::gateway {

// The request as HTTP/1.1 has it. kInvalidArgument, naming the field, for what HTTP does not admit:
// everything is checked here, since it is written out as it is. `peer`: gRPC's form of the address.
absl::StatusOr<http::LocalRequest> ToLocalRequest(const v1::InvokeRequest& request,
                                                  std::string_view peer);
// Likewise of a model, which the request's namespace and name are known to name. The path is one of
// OpenAI's routes, empty: chat. A body that names no model is made to name this one; one that names
// another is refused.
absl::StatusOr<http::LocalRequest> ToModelRequest(const v1::InvokeRequest& request,
                                                  std::string_view peer, const ModelTable& models);

// The code of the mesh's own error, or empty: the agent's answer.
std::string_view MeshError(const http::ResponseHead& head);
// An error of the mesh as a gRPC status; `body` is its JSON. The reason is the code in upper case.
absl::Status ToStatus(std::string_view code, std::string_view body, std::string_view agent);

void FillHead(const http::ResponseHead& head, v1::ResponseHead& response);
void FillTrailers(const http::Fields& trailers, v1::ResponseTrailers& response);

}  // namespace krypton::gateway
