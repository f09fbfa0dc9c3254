// The controller's series.
#pragma once

#include <chrono>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace krypton::manager {

class ControllerMetrics {
 public:
  explicit ControllerMetrics(prometheus::Registry& registry);

  void CountReplicaFailed();
  void CountDecisionRefused();
  void SetLeader(bool leads);
  void SetManifestProblems(size_t count);
  void SetResources(size_t count);
  // A request was reported waiting where nothing ran → the platform was asked for a replica.
  void ObserveWake(std::chrono::nanoseconds duration);

 private:
  prometheus::Counter& replica_failed_;
  prometheus::Counter& decision_refused_;
  prometheus::Gauge& leader_;
  prometheus::Gauge& manifest_problems_;
  prometheus::Gauge& resources_;
  prometheus::Histogram& wake_;
};

}  // namespace krypton::manager
