// The scaler with all that it needs to run: its view of the registry, its publisher, and its tick,
// all over channels to the manager, wherever that is. Load reports are given to `listener()`.
//
// It scales while its manager leads: Lead begins anew, with nothing remembered from before, as
// after a restart, and Follow ends it; meanwhile reports are read over. Lead and Follow may be
// called by any thread and wait for one another; after Follow nothing is published.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
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
};

class ScalerHost : private manager::LoadListener {
 public:
  ScalerHost(ScalerHostSettings settings, manager::Clock clock, prometheus::Registry& metrics);
  ~ScalerHost() override;
  ScalerHost(const ScalerHost&) = delete;
  ScalerHost& operator=(const ScalerHost&) = delete;

  // Lives as long as this.
  manager::LoadListener& listener() { return *this; }
  // `manager` carries RegistryService and ScalingService, of a manager that leads with `term`.
  void Lead(uint64_t term, const std::shared_ptr<grpc::Channel>& manager);
  void Follow();

 private:
  struct Parts;

  void OnLoad(const manager::LoadSource& source, const v1::ReportRequest& report,
              bool first) override;
  void OnLoadStreamEnd(const manager::LoadSource& source) override;
  std::shared_ptr<Parts> parts() const;
  void StopParts();

  const ScalerHostSettings settings_;
  const manager::Clock clock_;
  prometheus::Registry& metrics_;
  // Held by Lead and Follow to their end.
  std::mutex turn_;
  mutable std::mutex mutex_;
  // Null while another manager leads. A report that is under way keeps it a little longer.
  std::shared_ptr<Parts> parts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::scaler
