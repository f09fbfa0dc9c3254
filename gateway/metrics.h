// The gateway's series (design.md §4 Metrics; docs/metrics.md lists them). What a request touches
// is a handle that its resource keeps: no label is looked up and no lock taken on its way. Label
// values come from the registry only; requests for what it does not name count under kUnknownLabel.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/http/error.h"
#include "common/metrics/family.h"
#include "common/metrics/registry.h"
#include "common/metrics/trace.h"
#include "gateway/endpoint.h"
#include "gateway/model_metrics.h"
#include "gateway/status_counters.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::gateway {

// No RFC 1123 label: no agent and no model can have this name.
inline constexpr char kUnknownLabel[] = "_unknown";

enum class RetryReason { kOverCapacity, kShuttingDown, kUnreachable, kBroke };
inline constexpr std::array<const char*, 4> kRetryReasons = {"over_capacity", "shutting_down",
                                                             "unreachable", "broke"};
// Errors of the mesh itself, by their code; what the request was to blame for is "other".
inline constexpr std::array<const char*, 5> kErrorReasons = {
    "queue_full", "start_timeout", "agent_timeout", "agent_unreachable", "other"};
// The stages of a cold start.
inline constexpr std::array<const char*, 4> kStages = {"decide", "start", "ready", "first_byte"};

struct Families;

// The series of one resource under `agent` and `namespace`: of an agent all, of a model those that
// both have (model_metrics.h has its others). Held by its dispatcher and by the requests that count
// in it; outlives the resource as long as one of them does. Any thread.
class ResourceMetrics {
 public:
  ResourceMetrics(std::shared_ptr<Families> families, const v1::ResourceKey& key);

  // Of an agent.
  void CountInvocation(int status) { invocations_.Count(status); }
  // `trace`: the sampled trace that the call belongs to, if any.
  void ObserveDuration(double seconds, metrics::TraceId trace = {}) {
    duration_->Observe(seconds, trace);
  }
  void ObserveWait(double seconds) { wait_->Observe(seconds); }
  void CountRetry(RetryReason reason) { retries_[static_cast<int>(reason)]->Increment(); }
  // A call that the gateway ended with this error.
  void CountError(http::ErrorCode code);
  void CountColdStart() { cold_starts_->Increment(); }
  // What the manager measured of a start, and the gateway's own last stage.
  void ObserveStart(const StartStages& stages);
  void ObserveFirstByte(double seconds) { stages_[3]->Observe(seconds); }

  // The resource is deleted: its series leave /metrics.
  void Retire();

 private:
  const std::shared_ptr<Families> families_;
  const std::string namespace_;
  const std::string name_;
  StatusCounters invocations_;
  std::shared_ptr<metrics::Histogram> duration_;
  std::shared_ptr<metrics::Histogram> wait_;
  std::shared_ptr<prometheus::Counter> cold_starts_;
  std::array<std::shared_ptr<prometheus::Counter>, kRetryReasons.size()> retries_;
  std::array<std::shared_ptr<prometheus::Counter>, kErrorReasons.size()> errors_;
  std::array<std::shared_ptr<metrics::Histogram>, kStages.size()> stages_;
};

// Makes them; one a process.
class GatewayMetrics {
 public:
  explicit GatewayMetrics(metrics::Registry& registry);
  ~GatewayMetrics();

  std::shared_ptr<ResourceMetrics> For(const v1::ResourceKey& key) const;
  std::shared_ptr<ModelMetrics> ForModel(std::string id) const;
  // For requests that reach no resource.
  void CountUnknown(int status) { unknown_->Count(status); }
  void CountUnknownModel(int status) { unknown_model_->Count(status); }

 private:
  std::shared_ptr<Families> families_;
  std::shared_ptr<ModelFamilies> model_families_;
  std::unique_ptr<StatusCounters> unknown_;
  std::unique_ptr<StatusCounters> unknown_model_;
};

}  // namespace krypton::gateway
