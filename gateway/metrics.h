// The gateway's series (design.md §4 Metrics; docs/metrics.md lists them). What a request touches
// is a handle that its resource keeps: no label is looked up and no lock taken on its way. Label
// values come from the registry only; requests for what it does not name count under kUnknownLabel.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/metrics/family.h"
#include "common/metrics/registry.h"
#include "common/metrics/trace.h"
#include "gateway/endpoint.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::gateway {

// No RFC 1123 label: no agent can have this name.
inline constexpr char kUnknownLabel[] = "_unknown";

enum class RetryReason { kOverCapacity, kShuttingDown, kUnreachable, kBroke };
inline constexpr std::array<const char*, 4> kRetryReasons = {"over_capacity", "shutting_down",
                                                             "unreachable", "broke"};
// The stages of a cold start.
inline constexpr std::array<const char*, 4> kStages = {"decide", "start", "ready", "first_byte"};

struct Families;

// krypton_invocations_total of one agent, by status: each status' counter is looked up once. Any
// thread.
class InvocationCounters {
 public:
  InvocationCounters(std::shared_ptr<metrics::CounterFamily> family, std::string name_space,
                     std::string name);

  void Count(int status);
  // Its series have left /metrics, and none comes back.
  void Retire();

 private:
  // Of the statuses seen so far, in the order of their first use; status 0: free.
  struct StatusCounter {
    std::atomic<int> status{0};
    std::shared_ptr<prometheus::Counter> counter;
  };
  prometheus::Counter* Find(int status) const;
  std::shared_ptr<prometheus::Counter> Add(int status);

  const std::shared_ptr<metrics::CounterFamily> family_;
  const std::string namespace_;
  const std::string name_;
  std::array<StatusCounter, 12> statuses_;
  std::mutex adding_;  // Of a status, and retirement.
  bool retired_ ABSL_GUARDED_BY(adding_) = false;
};

// The series of one agent. Held by its dispatcher and by the requests that count in it; outlives
// the agent as long as one of them does. Any thread.
class ResourceMetrics {
 public:
  ResourceMetrics(std::shared_ptr<Families> families, std::string name_space, std::string name);

  void CountInvocation(int status) { invocations_.Count(status); }
  // `trace`: the sampled trace that the call belongs to, if any.
  void ObserveDuration(double seconds, metrics::TraceId trace = {}) {
    duration_->Observe(seconds, trace);
  }
  void ObserveWait(double seconds) { wait_->Observe(seconds); }
  void CountRetry(RetryReason reason) { retries_[static_cast<int>(reason)]->Increment(); }
  void CountColdStart() { cold_starts_->Increment(); }
  // What the manager measured of a start, and the gateway's own last stage.
  void ObserveStart(const StartStages& stages);
  void ObserveFirstByte(double seconds) { stages_[3]->Observe(seconds); }

  // The agent is deleted: its series leave /metrics.
  void Retire();

 private:
  const std::shared_ptr<Families> families_;
  const std::string namespace_;
  const std::string name_;
  InvocationCounters invocations_;
  std::shared_ptr<metrics::Histogram> duration_;
  std::shared_ptr<metrics::Histogram> wait_;
  std::shared_ptr<prometheus::Counter> cold_starts_;
  std::array<std::shared_ptr<prometheus::Counter>, kRetryReasons.size()> retries_;
  std::array<std::shared_ptr<metrics::Histogram>, kStages.size()> stages_;
};

// Makes them; one a process.
class GatewayMetrics {
 public:
  explicit GatewayMetrics(metrics::Registry& registry);
  ~GatewayMetrics();

  std::shared_ptr<ResourceMetrics> For(const v1::ResourceKey& key) const;
  // For requests that reach no resource.
  void CountUnknown(int status) { unknown_->Count(status); }

 private:
  std::shared_ptr<Families> families_;
  std::unique_ptr<InvocationCounters> unknown_;
};

}  // namespace krypton::gateway
