#include "manager/scaler/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace krypton::scaler {

ResourceSeries::ResourceSeries(ScalerMetrics& metrics, const v1::ResourceKey& key)
    : metrics_(metrics) {
  const prometheus::Labels labels = {{"agent", key.name()}, {"namespace", key.namespace_()}};
  const auto decisions = [&](const char* direction) {
    prometheus::Labels all = labels;
    all.emplace("direction", direction);
    return &metrics_.decisions_.Add(all);
  };
  up_ = decisions("up");
  down_ = decisions("down");
  noop_ = decisions("noop");
  desired_ = &metrics_.desired_.Add(labels);
}

ResourceSeries::~ResourceSeries() {
  for (prometheus::Counter* counter : {up_, down_, noop_}) metrics_.decisions_.Remove(counter);
  metrics_.desired_.Remove(desired_);
}

void ResourceSeries::CountDecision(v1::ScalingDirection direction) {
  switch (direction) {
    case v1::SCALING_DIRECTION_UP:
      up_->Increment();
      break;
    case v1::SCALING_DIRECTION_DOWN:
      down_->Increment();
      break;
    default:
      noop_->Increment();
  }
}

void ResourceSeries::SetDesired(int replicas) { desired_->Set(replicas); }

ScalerMetrics::ScalerMetrics(prometheus::Registry& registry)
    : decisions_(prometheus::BuildCounter()
                     .Name("krypton_scaler_decisions_total")
                     .Help("Decisions of the scaler, one a tick for each agent that has demand or "
                           "replicas.")
                     .Register(registry)),
      desired_(prometheus::BuildGauge()
                   .Name("krypton_agent_replicas_desired")
                   .Help("Replicas that the scaler wants.")
                   .Register(registry)),
      ticks_(prometheus::BuildHistogram()
                 .Name("krypton_scaler_tick_seconds")
                 .Help("How long one look at all active resources took.")
                 .Register(registry)),
      all_sources_(prometheus::BuildGauge()
                       .Name("krypton_scaler_sources")
                       .Help("Sidecars and gateways whose load is known.")
                       .Register(registry)),
      all_active_(prometheus::BuildGauge()
                      .Name("krypton_scaler_active_resources")
                      .Help("Resources that have demand or replicas.")
                      .Register(registry)),
      tick_(ticks_.Add({}, prometheus::Histogram::BucketBoundaries{.0001, .0005, .001, .005, .01,
                                                                   .02, .05, .1, .5, 1})),
      sources_(all_sources_.Add({})),
      active_(all_active_.Add({})) {}

ScalerMetrics::~ScalerMetrics() {
  ticks_.Remove(&tick_);
  all_sources_.Remove(&sources_);
  all_active_.Remove(&active_);
}

void ScalerMetrics::ObserveTick(double seconds) { tick_.Observe(seconds); }

void ScalerMetrics::SetSources(size_t known, size_t active_resources) {
  sources_.Set(static_cast<double>(known));
  active_.Set(static_cast<double>(active_resources));
}

}  // namespace krypton::scaler
