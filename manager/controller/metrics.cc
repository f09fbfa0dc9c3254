#include "manager/controller/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace krypton::manager {
namespace {

prometheus::Counter& ErrorCounter(prometheus::Registry& registry, const char* reason) {
  return prometheus::BuildCounter()
      .Name("krypton_reconcile_errors_total")
      .Help("What kept the manager from bringing a resource to its desired state.")
      .Register(registry)
      .Add({{"reason", reason}});
}

prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

ControllerMetrics::ControllerMetrics(prometheus::Registry& registry)
    : replica_failed_(ErrorCounter(registry, "replica_failed")),
      decision_refused_(ErrorCounter(registry, "decision_refused")),
      leader_(MakeGauge(registry, "krypton_manager_leader", "1 while this manager leads.")),
      manifest_problems_(MakeGauge(registry, "krypton_manifest_problems",
                                   "Manifests, or parts of them, that are refused now.")),
      resources_(MakeGauge(registry, "krypton_registry_resources", "Agents and models.")),
      wake_(prometheus::BuildHistogram()
                .Name("krypton_wake_seconds")
                .Help("From the report of a request that waits where nothing runs to the platform "
                      "being asked for a replica.")
                .Register(registry)
                .Add({}, prometheus::Histogram::BucketBoundaries{.0005, .001, .002, .005, .01, .02,
                                                                 .05, .1, .5, 1})) {}

void ControllerMetrics::CountReplicaFailed() { replica_failed_.Increment(); }
void ControllerMetrics::CountDecisionRefused() { decision_refused_.Increment(); }
void ControllerMetrics::SetLeader(bool leads) { leader_.Set(leads ? 1 : 0); }
void ControllerMetrics::SetManifestProblems(size_t count) {
  manifest_problems_.Set(static_cast<double>(count));
}
void ControllerMetrics::SetResources(size_t count) { resources_.Set(static_cast<double>(count)); }
void ControllerMetrics::ObserveWake(std::chrono::nanoseconds duration) {
  wake_.Observe(std::chrono::duration<double>(duration).count());
}

}  // namespace krypton::manager
