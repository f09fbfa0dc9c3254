// ScalingService: takes the decisions of a scaler, in their order, and answers each message with an
// acknowledgement and the refusals. The next message is read only when the answer is on its way.
//
// The controller outlives the service. Shutdown ends all streams; the gRPC server is shut down
// after it, and the service destroyed after the server.
#pragma once

#include <memory>

#include "krypton/v1/scaling.grpc.pb.h"
#include "manager/leadership.h"

namespace krypton::manager {

class Controller;

struct ScalingServiceSettings {
  // One scaler, its successor, and a person who tries it out.
  size_t max_streams = 16;
};

class ScalingServiceImpl : public v1::ScalingService::CallbackService {
 public:
  ScalingServiceImpl(ScalingServiceSettings settings, Controller& controller,
                     const Leadership& leadership);
  ~ScalingServiceImpl() override;

  grpc::ServerBidiReactor<v1::PublishDecisionsRequest, v1::PublishDecisionsResponse>*
  PublishDecisions(grpc::CallbackServerContext* context) override;

  void Shutdown();

 private:
  class Stream;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace krypton::manager
