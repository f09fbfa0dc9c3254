// The scaler's series. Those of one resource live in a ResourceSeries, from the moment at which the
// resource is known, at zero, until it is gone.
#pragma once

#include <memory>
#include <string>

#include "krypton/v1/resource.pb.h"
#include "krypton/v1/scaling.pb.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace krypton::scaler {

class ScalerMetrics;

class ResourceSeries {
 public:
  ResourceSeries(ScalerMetrics& metrics, const v1::ResourceKey& key);
  ~ResourceSeries();
  ResourceSeries(const ResourceSeries&) = delete;
  ResourceSeries& operator=(const ResourceSeries&) = delete;

  // One a tick for each resource that has demand or replicas.
  void CountDecision(v1::ScalingDirection direction);
  void SetDesired(int replicas);

 private:
  ScalerMetrics& metrics_;
  prometheus::Counter* up_;
  prometheus::Counter* down_;
  prometheus::Counter* noop_;
  prometheus::Gauge* desired_;
};

class ScalerMetrics {
 public:
  explicit ScalerMetrics(prometheus::Registry& registry);
  // With its series: a manager that no longer leads exports none of the scaler's.
  ~ScalerMetrics();
  ScalerMetrics(const ScalerMetrics&) = delete;
  ScalerMetrics& operator=(const ScalerMetrics&) = delete;

  // How long one look at all active resources took.
  void ObserveTick(double seconds);
  void SetSources(size_t known, size_t active_resources);

 private:
  friend class ResourceSeries;
  prometheus::Family<prometheus::Counter>& decisions_;
  prometheus::Family<prometheus::Gauge>& desired_;
  prometheus::Family<prometheus::Histogram>& ticks_;
  prometheus::Family<prometheus::Gauge>& all_sources_;
  prometheus::Family<prometheus::Gauge>& all_active_;
  prometheus::Histogram& tick_;
  prometheus::Gauge& sources_;
  prometheus::Gauge& active_;
};

}  // namespace krypton::scaler
