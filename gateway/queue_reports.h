// What the gateway tells the scaler: which agents' requests wait here, and how many. Collects, from
// all dispatchers, those whose load has changed or who have somebody waiting; nothing walks the
// others. Any thread.
#pragma once

#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "common/load/reporter.h"
#include "gateway/dispatcher.h"

namespace krypton::gateway {

class QueueReports {
 public:
  // A dispatcher's load changed. `urgent`: its queue has begun or ended, and a report leaves at
  // once.
  void Note(const DispatcherPtr& dispatcher, bool urgent);

  // For load::Reporter, which it tells of what is urgent. Null: nobody (any more).
  void SetReporter(load::Reporter* reporter);
  v1::ReportRequest Collect(load::Scope scope);

 private:
  std::mutex mutex_;
  load::Reporter* reporter_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // Changed since the last report.
  absl::flat_hash_set<DispatcherPtr> noted_ ABSL_GUARDED_BY(mutex_);
  // Whose last report was not zero: a new stream begins with them.
  absl::flat_hash_set<DispatcherPtr> active_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::gateway
