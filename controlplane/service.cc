#include "controlplane/service.h"

#include <google/rpc/error_details.pb.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/transcode/http_status.h"
#include "controlplane/explain.h"
#include "controlplane/listing.h"
#include "controlplane/logs.h"
#include "controlplane/watch.h"

namespace krypton::controlplane {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using grpc::ServerWriteReactor;

constexpr int kMaxDecisions = 100;
constexpr int kDefaultDecisions = 20;
constexpr int kMaxTailLines = 10000;
constexpr int kDefaultTailLines = 100;
// Of a question to the manager.
constexpr std::chrono::seconds kManagerTimeout(10);

absl::Status NotFound(const v1::ResourceKey& key) {
  const bool is_model = key.kind() == v1::RESOURCE_KIND_MODEL;
  const std::string name = resource::ToString(key);
  absl::Status status =
      rpc::Error(absl::StatusCode::kNotFound, is_model ? "MODEL_NOT_FOUND" : "AGENT_NOT_FOUND",
                 absl::StrCat(resource::Describe(key), " does not exist"),
                 {{is_model ? "model" : "agent", name}});
  google::rpc::ResourceInfo info;
  info.set_resource_type(is_model ? "krypton.ai/Model" : "krypton.ai/Agent");
  info.set_resource_name(name);
  rpc::AddDetail(status, info);
  return status;
}

// A stream that ends before it begins.
template <typename Response>
class RefusedStream : public ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

// gRPC names each caller over a socket by its kind of address.
bool IsFromNetwork(const std::string& peer) {
  return peer.rfind("ipv4:", 0) == 0 || peer.rfind("ipv6:", 0) == 0 || peer.rfind("unix", 0) == 0;
}

std::string Traceparent(const CallbackServerContext& context) {
  const auto found = context.client_metadata().find("traceparent");
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

// What the manager's answer, or its silence, means to our caller.
grpc::Status ManagerStatus(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return status;
  return rpc::ToGrpc(rpc::Error(
      absl::StatusCode::kUnavailable, "MANAGER_UNREACHABLE",
      "the manager cannot be reached, and only it knows this: " + status.error_message()));
}

// ExplainAgent or ExplainModel while it waits for the manager.
struct Explanation {
  Leader::Stub manager;
  grpc::ClientContext context;
  v1::ListDecisionsRequest request;
  v1::ListDecisionsResponse decisions;
};

void SetResource(const v1::RegistryEntry& entry, v1::ExplainAgentResponse* response) {
  if (entry.has_agent()) *response->mutable_agent() = entry.agent();
}
void SetResource(const v1::RegistryEntry& entry, v1::ExplainModelResponse* response) {
  *response->mutable_model() = entry.model();
}

}  // namespace

Service::Counter Service::CountAs(const CallbackServerContext& context, const char* route) const {
  // The transcoder calls in-process, and counts what it answers itself.
  if (!IsFromNetwork(context.peer())) return [](const grpc::Status&) {};
  const auto begin = std::chrono::steady_clock::now();
  return [this, route, begin, traceparent = Traceparent(context)](const grpc::Status& status) {
    parts_.metrics.Count(route, "POST", transcode::HttpStatusOf(status.error_code()),
                         std::chrono::steady_clock::now() - begin, traceparent);
  };
}

template <typename Answer>
ServerUnaryReactor* Service::Unary(CallbackServerContext* context, const char* route,
                                   Answer answer) const {
  const Counter count = CountAs(*context, route);
  absl::Status status = CheckSynced();
  if (status.ok()) status = answer();
  const grpc::Status grpc_status = rpc::ToGrpc(status);
  count(grpc_status);
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc_status);
  return reactor;
}

absl::Status Service::CheckSynced() const {
  if (parts_.synced()) return absl::OkStatus();
  return rpc::Error(absl::StatusCode::kUnavailable, "REGISTRY_NOT_SYNCED",
                    "the registry has not been read yet; is the manager running?");
}

absl::StatusOr<registry::EntryPtr> Service::Find(v1::ResourceKind kind,
                                                 const std::string& name_space,
                                                 const std::string& name) const {
  if (name_space.empty()) return rpc::InvalidField("namespace", "namespace must not be empty");
  if (name.empty()) return rpc::InvalidField("name", "name must not be empty");
  v1::ResourceKey key;
  key.set_kind(kind);
  key.set_namespace_(name_space);
  key.set_name(name);
  registry::EntryPtr entry = parts_.catalog.Find(key);
  if (entry == nullptr) return NotFound(key);
  return entry;
}

absl::StatusOr<registry::EntryPtr> Service::FindAny(const std::string& name_space,
                                                    const std::string& name) const {
  absl::StatusOr<registry::EntryPtr> agent = Find(v1::RESOURCE_KIND_AGENT, name_space, name);
  if (agent.ok() || !absl::IsNotFound(agent.status())) return agent;
  absl::StatusOr<registry::EntryPtr> model = Find(v1::RESOURCE_KIND_MODEL, name_space, name);
  return model.ok() ? model : agent;
}

ServerUnaryReactor* Service::ListAgents(CallbackServerContext* context,
                                        const v1::ListAgentsRequest* request,
                                        v1::ListAgentsResponse* response) {
  return Unary(context, "list_agents", [&]() -> absl::Status {
    absl::StatusOr<v1::ListAgentsResponse> list =
        controlplane::ListAgents(*request, parts_.catalog.Agents());
    if (list.ok()) *response = *std::move(list);
    return list.status();
  });
}

ServerUnaryReactor* Service::ListModels(CallbackServerContext* context,
                                        const v1::ListModelsRequest* request,
                                        v1::ListModelsResponse* response) {
  return Unary(context, "list_models", [&]() -> absl::Status {
    absl::StatusOr<v1::ListModelsResponse> list =
        controlplane::ListModels(*request, parts_.catalog.Models());
    if (list.ok()) *response = *std::move(list);
    return list.status();
  });
}

ServerUnaryReactor* Service::ListEndpoints(CallbackServerContext* context,
                                           const v1::ListEndpointsRequest* request,
                                           v1::ListEndpointsResponse* response) {
  return Unary(context, "list_endpoints", [&]() -> absl::Status {
    absl::StatusOr<v1::ListEndpointsResponse> list =
        controlplane::ListEndpoints(*request, parts_.catalog.All());
    if (list.ok()) *response = *std::move(list);
    return list.status();
  });
}

ServerUnaryReactor* Service::ListManifestProblems(CallbackServerContext* context,
                                                  const v1::ListManifestProblemsRequest*,
                                                  v1::ListManifestProblemsResponse* response) {
  return Unary(context, "list_manifest_problems", [&] {
    *response->mutable_items() = parts_.catalog.problems()->items();
    return absl::OkStatus();
  });
}

ServerUnaryReactor* Service::GetAgent(CallbackServerContext* context,
                                      const v1::GetAgentRequest* request,
                                      v1::GetAgentResponse* response) {
  return Unary(context, "get_agent", [&] {
    const auto entry = Find(v1::RESOURCE_KIND_AGENT, request->namespace_(), request->name());
    if (entry.ok()) *response->mutable_agent() = (*entry)->agent();
    return entry.status();
  });
}

ServerUnaryReactor* Service::GetAgentStatus(CallbackServerContext* context,
                                            const v1::GetAgentStatusRequest* request,
                                            v1::GetAgentStatusResponse* response) {
  return Unary(context, "get_agent_status", [&] {
    const auto entry = Find(v1::RESOURCE_KIND_AGENT, request->namespace_(), request->name());
    if (entry.ok()) *response->mutable_status() = (*entry)->agent().status();
    return entry.status();
  });
}

ServerUnaryReactor* Service::GetModel(CallbackServerContext* context,
                                      const v1::GetModelRequest* request,
                                      v1::GetModelResponse* response) {
  return Unary(context, "get_model", [&] {
    const auto entry = Find(v1::RESOURCE_KIND_MODEL, request->namespace_(), request->name());
    if (entry.ok()) *response->mutable_model() = (*entry)->model();
    return entry.status();
  });
}

ServerUnaryReactor* Service::GetModelStatus(CallbackServerContext* context,
                                            const v1::GetModelStatusRequest* request,
                                            v1::GetModelStatusResponse* response) {
  return Unary(context, "get_model_status", [&] {
    const auto entry = Find(v1::RESOURCE_KIND_MODEL, request->namespace_(), request->name());
    if (entry.ok()) *response->mutable_status() = (*entry)->model().status();
    return entry.status();
  });
}

template <typename Response>
ServerWriteReactor<Response>* Service::Watch(CallbackServerContext* context, const char* route,
                                             v1::ResourceKind kind, const std::string& name_space,
                                             const std::string& name) const {
  Counter count = CountAs(*context, route);
  if (absl::Status status = CheckSynced(); !status.ok()) {
    const grpc::Status refusal = rpc::ToGrpc(status);
    count(refusal);
    return new RefusedStream<Response>(refusal);
  }
  return WatchReactor<Response>::Begin({kind, name_space, name}, parts_.catalog, parts_.streams,
                                       std::move(count));
}

ServerWriteReactor<v1::WatchAgentsResponse>* Service::WatchAgents(
    CallbackServerContext* context, const v1::WatchAgentsRequest* request) {
  return Watch<v1::WatchAgentsResponse>(context, "watch_agents", v1::RESOURCE_KIND_AGENT,
                                        request->namespace_(), request->name());
}

ServerWriteReactor<v1::WatchModelsResponse>* Service::WatchModels(
    CallbackServerContext* context, const v1::WatchModelsRequest* request) {
  return Watch<v1::WatchModelsResponse>(context, "watch_models", v1::RESOURCE_KIND_MODEL,
                                        request->namespace_(), request->name());
}

template <typename FindEntry, typename Response>
ServerUnaryReactor* Service::Explain(CallbackServerContext* context, const char* route,
                                     FindEntry find, int asked_limit, Response* response) const {
  // In this order: before the registry was read, nothing is there.
  const absl::Status synced = CheckSynced();
  const absl::StatusOr<int> limit = Bounded("limit", asked_limit, kDefaultDecisions, kMaxDecisions);
  const absl::StatusOr<registry::EntryPtr> found = find();
  for (const absl::Status& status : {synced, limit.status(), found.status()}) {
    if (!status.ok()) return Unary(context, route, [&] { return status; });
  }
  auto question = std::make_shared<Explanation>();
  question->manager = parts_.manager.Get();
  rpc::SetTimeout(question->context, kManagerTimeout);
  *question->request.mutable_key() = (*found)->key();
  question->request.set_limit(*limit);
  ServerUnaryReactor* reactor = context->DefaultReactor();
  question->manager->async()->ListDecisions(
      &question->context, &question->request, &question->decisions,
      [question, response, reactor, entry = *found,
       count = CountAs(*context, route)](const grpc::Status& status) {
        if (status.ok()) {
          SetResource(*entry, response);
          *response->mutable_decisions() = question->decisions.records();
          response->set_summary(
              Summarize(*entry, response->decisions(), std::chrono::system_clock::now()));
        }
        const grpc::Status answer = ManagerStatus(status);
        count(answer);
        reactor->Finish(answer);
      });
  return reactor;
}

ServerUnaryReactor* Service::ExplainAgent(CallbackServerContext* context,
                                          const v1::ExplainAgentRequest* request,
                                          v1::ExplainAgentResponse* response) {
  return Explain(
      context, "explain_agent", [&] { return FindAny(request->namespace_(), request->name()); },
      request->limit(), response);
}

ServerUnaryReactor* Service::ExplainModel(CallbackServerContext* context,
                                          const v1::ExplainModelRequest* request,
                                          v1::ExplainModelResponse* response) {
  return Explain(
      context, "explain_model",
      [&] { return Find(v1::RESOURCE_KIND_MODEL, request->namespace_(), request->name()); },
      request->limit(), response);
}

ServerWriteReactor<v1::ReadAgentLogsResponse>* Service::ReadAgentLogs(
    CallbackServerContext* context, const v1::ReadAgentLogsRequest* request) {
  Counter count = CountAs(*context, "read_agent_logs");
  absl::Status status = CheckSynced();
  const absl::StatusOr<int> tail =
      Bounded("tail_lines", request->tail_lines(), kDefaultTailLines, kMaxTailLines);
  const absl::StatusOr<registry::EntryPtr> found = FindAny(request->namespace_(), request->name());
  if (status.ok()) status = tail.ok() ? found.status() : tail.status();
  if (!status.ok()) {
    const grpc::Status refusal = rpc::ToGrpc(status);
    count(refusal);
    return new RefusedStream<v1::ReadAgentLogsResponse>(refusal);
  }
  v1::ReadLogsRequest to_manager;
  *to_manager.mutable_key() = (*found)->key();
  to_manager.set_follow(request->follow());
  to_manager.set_tail_lines(*tail);
  to_manager.set_instance(request->instance());
  return PassLogs(parts_.manager.Get(), parts_.streams, std::move(to_manager), std::move(count));
}

}  // namespace krypton::controlplane
