// ManagerService: why a resource has the replicas it has, and what they print.
//
// The controller outlives the service. Shutdown ends all log streams; the gRPC server is
// shut down after it, and the service destroyed after the server.
#pragma once

#include <memory>

#include "krypton/v1/manager.grpc.pb.h"
#include "manager/platform/platform.h"

namespace krypton::manager {

class Controller;

struct ManagerServiceSettings {
  // Log streams at once; further ones are refused as RESOURCE_EXHAUSTED.
  size_t max_log_streams = 256;
  // Of one message of a log stream.
  size_t max_log_bytes = 64 << 10;
};

class ManagerServiceImpl : public v1::ManagerService::CallbackService {
 public:
  ManagerServiceImpl(ManagerServiceSettings settings, Controller& controller);
  ~ManagerServiceImpl() override;

  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const v1::ListDecisionsRequest* request,
                                          v1::ListDecisionsResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadLogsResponse>* ReadLogs(
      grpc::CallbackServerContext* context, const v1::ReadLogsRequest* request) override;

  void Shutdown();

 private:
  class LogReader;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace krypton::manager
