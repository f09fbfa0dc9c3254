// The scaler's client of ScalingService.PublishDecisions. Level-based: of each resource only the
// last decision is kept, and only until it is acknowledged, so that a manager that is slow or gone
// costs a bounded amount of memory; when the stream comes back, what was not acknowledged is sent
// again. At most one message is on its way.
//
// Publish and Stop may be called by any thread and return at once; the handler is called by gRPC's
// threads with no lock held, and not after Stop has returned.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "krypton/v1/scaling.pb.h"

namespace grpc {
class Channel;
}

namespace krypton::scaler {

struct PublisherSettings {
  std::string scaler = "scaler";
  uint64_t term = 0;
};

class Publisher {
 public:
  using RefusalHandler = std::function<void(const v1::DecisionRefusal&)>;

  Publisher(const std::shared_ptr<grpc::Channel>& channel, PublisherSettings settings,
            RefusalHandler on_refusal);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void Start();
  void Publish(v1::ScalingDecision decision);
  void Stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace krypton::scaler
