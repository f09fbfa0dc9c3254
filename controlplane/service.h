// ControlPlaneService: answers from the catalog, and asks the manager for what only it knows
// (decisions, logs). Every call is counted when it ends; one that came by REST is counted by the
// transcoder instead. Owned by the server; outlives it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "controlplane/catalog.h"
#include "controlplane/leader.h"
#include "controlplane/metrics.h"
#include "controlplane/streams.h"
#include "krypton/v1/control_plane.grpc.pb.h"

namespace krypton::controlplane {

class Service : public v1::ControlPlaneService::CallbackService {
 public:
  // What it stands on; all outlive it.
  struct Parts {
    const Catalog& catalog;
    Streams& streams;
    const Leader& manager;
    ApiMetrics& metrics;
    // Whether the catalog has been filled once; before that every answer is UNAVAILABLE.
    std::function<bool()> synced;
  };

  explicit Service(Parts parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* ListAgents(grpc::CallbackServerContext* context,
                                       const v1::ListAgentsRequest* request,
                                       v1::ListAgentsResponse* response) override;
  grpc::ServerUnaryReactor* GetAgent(grpc::CallbackServerContext* context,
                                     const v1::GetAgentRequest* request,
                                     v1::GetAgentResponse* response) override;
  grpc::ServerUnaryReactor* GetAgentStatus(grpc::CallbackServerContext* context,
                                           const v1::GetAgentStatusRequest* request,
                                           v1::GetAgentStatusResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchAgentsResponse>* WatchAgents(
      grpc::CallbackServerContext* context, const v1::WatchAgentsRequest* request) override;
  grpc::ServerUnaryReactor* ExplainAgent(grpc::CallbackServerContext* context,
                                         const v1::ExplainAgentRequest* request,
                                         v1::ExplainAgentResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadAgentLogsResponse>* ReadAgentLogs(
      grpc::CallbackServerContext* context, const v1::ReadAgentLogsRequest* request) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* GetModelStatus(grpc::CallbackServerContext* context,
                                           const v1::GetModelStatusRequest* request,
                                           v1::GetModelStatusResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchModelsResponse>* WatchModels(
      grpc::CallbackServerContext* context, const v1::WatchModelsRequest* request) override;
  grpc::ServerUnaryReactor* ExplainModel(grpc::CallbackServerContext* context,
                                         const v1::ExplainModelRequest* request,
                                         v1::ExplainModelResponse* response) override;
  grpc::ServerUnaryReactor* ListEndpoints(grpc::CallbackServerContext* context,
                                          const v1::ListEndpointsRequest* request,
                                          v1::ListEndpointsResponse* response) override;
  grpc::ServerUnaryReactor* ListManifestProblems(
      grpc::CallbackServerContext* context, const v1::ListManifestProblemsRequest* request,
      v1::ListManifestProblemsResponse* response) override;

 private:
  using Counter = std::function<void(const grpc::Status&)>;

  // Counts the call as `route` when it is told how it ended.
  Counter CountAs(const grpc::CallbackServerContext& context, const char* route) const;
  // Runs `answer` (→ absl::Status), once the catalog has been filled, and ends the call.
  template <typename Answer>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const char* route,
                                  Answer answer) const;
  template <typename Response>
  grpc::ServerWriteReactor<Response>* Watch(grpc::CallbackServerContext* context, const char* route,
                                            v1::ResourceKind kind, const std::string& name_space,
                                            const std::string& name) const;

  // Asks the manager for the decisions on what `find` (() → StatusOr<EntryPtr>) finds, of which
  // `limit` are shown.
  template <typename FindEntry, typename Response>
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const char* route,
                                    FindEntry find, int limit, Response* response) const;

  absl::Status CheckSynced() const;
  // kInvalidArgument for an empty part, kNotFound with ErrorInfo and ResourceInfo.
  absl::StatusOr<registry::EntryPtr> Find(v1::ResourceKind kind, const std::string& name_space,
                                          const std::string& name) const;
  // An agent, or else a model.
  absl::StatusOr<registry::EntryPtr> FindAny(const std::string& name_space,
                                             const std::string& name) const;

  const Parts parts_;
};

}  // namespace krypton::controlplane
