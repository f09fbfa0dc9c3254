// The gateway's series (design.md §4 Metrics; docs/metrics.md lists them). What a request touches
// is a handle that its resource keeps: no label is looked up and no lock taken on its way. Label
// values come from the registry only; requests for what it does not name count under kUnknownLabel.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "common/metrics/family.h"
#include "common/metrics/registry.h"
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

// The series of one agent. Held by its dispatcher and by the requests that count in it; outlives
// the agent as long as one of them does. Any thread.
class ResourceMetrics {
 public:
  ResourceMetrics(std::shared_ptr<Families> families, std::string name_space, std::string name);

  void CountInvocation(int status);
  void ObserveDuration(double seconds) { duration_->Observe(seconds); }
  void ObserveWait(double seconds) { wait_->Observe(seconds); }
  void CountRetry(RetryReason reason) { retries_[static_cast<int>(reason)]->Increment(); }
  void CountColdStart() { cold_starts_->Increment(); }
  // What the manager measured of a start, and the gateway's own last stage.
  void ObserveStart(const StartStages& stages);
  void ObserveFirstByte(double seconds) { stages_[3]->Observe(seconds); }

  // The agent is deleted: its series leave /metrics, and none comes back.
  void Retire();

 private:
  // Of the statuses seen so far, in the order of their first use; status 0: free.
  struct StatusCounter {
    std::atomic<int> status{0};
    std::shared_ptr<prometheus::Counter> counter;
  };
  prometheus::Counter* FindCounter(int status) const;
  std::shared_ptr<prometheus::Counter> AddCounter(int status);

  const std::shared_ptr<Families> families_;
  const std::string namespace_;
  const std::string name_;
  std::array<StatusCounter, 12> statuses_;
  std::mutex adding_;  // Of a status, and retirement.
  bool retired_ = false;
  std::shared_ptr<metrics::Histogram> duration_;
  std::shared_ptr<metrics::Histogram> wait_;
  std::shared_ptr<prometheus::Counter> cold_starts_;
  std::array<std::shared_ptr<prometheus::Counter>, kRetryReasons.size()> retries_;
  std::array<std::shared_ptr<metrics::Histogram>, kStages.size()> stages_;
};

// Makes them. Must not outlive the registry's collection; one a process.
class GatewayMetrics {
 public:
  explicit GatewayMetrics(metrics::Registry& registry);

  std::shared_ptr<ResourceMetrics> For(const v1::ResourceKey& key) const;
  // For requests that reach no resource.
  ResourceMetrics& unknown() { return *unknown_; }

 private:
  std::shared_ptr<Families> families_;
  std::shared_ptr<ResourceMetrics> unknown_;
};

}  // namespace krypton::gateway
