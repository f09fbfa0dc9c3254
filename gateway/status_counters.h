// A counter family's series of one agent or model, by HTTP status: each status' counter is looked
// up once. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "common/metrics/family.h"

namespace krypton::gateway {

class StatusCounters {
 public:
  // `labels`: those beside `status`.
  StatusCounters(std::shared_ptr<metrics::CounterFamily> family, metrics::Labels labels);

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
  const metrics::Labels labels_;
  std::array<StatusCounter, 12> statuses_;
  std::mutex adding_;  // Of a status, and retirement.
  bool retired_ ABSL_GUARDED_BY(adding_) = false;
};

}  // namespace krypton::gateway
