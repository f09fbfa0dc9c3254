// The scaler with all that it needs to run: its view of the registry, its publisher, and its tick,
// all over channels to the manager, wherever that is. Load reports are given to `listener()`.
//
// Start and Stop by one thread, each once; after Stop nothing is published.
#pragma once

#include <chrono>
#include <memory>

#include "manager/clock.h"
#include "manager/load/load_listener.h"
#include "manager/scaler/policy.h"

namespace grpc {
class Channel;
}
namespace prometheus {
class Registry;
}

namespace krypton::scaler {

struct ScalerHostSettings {
  PolicySettings policy;
  std::chrono::milliseconds interval{1000};
  uint64_t term = 0;
};

class ScalerHost {
 public:
  ScalerHost(ScalerHostSettings settings, manager::Clock clock, prometheus::Registry& metrics);
  ~ScalerHost();
  ScalerHost(const ScalerHost&) = delete;
  ScalerHost& operator=(const ScalerHost&) = delete;

  // Lives as long as this.
  manager::LoadListener& listener();
  // `manager` carries RegistryService and ScalingService.
  void Start(std::shared_ptr<grpc::Channel> manager);
  void Stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace krypton::scaler
