#include "gateway/queue_reports.h"

#include <utility>

namespace krypton::gateway {

void QueueReports::Note(const DispatcherPtr& dispatcher, bool urgent) {
  std::lock_guard lock(mutex_);
  noted_.insert(dispatcher);
  if (urgent && reporter_ != nullptr) reporter_->ReportNow();
}

void QueueReports::SetReporter(load::Reporter* reporter) {
  std::lock_guard lock(mutex_);
  reporter_ = reporter;
}

v1::ReportRequest QueueReports::Collect(load::Scope scope) {
  const TimePoint now = http::Clock::now();
  v1::ReportRequest report;
  std::lock_guard lock(mutex_);
  absl::flat_hash_set<DispatcherPtr> due = std::exchange(noted_, {});
  for (const DispatcherPtr& dispatcher : active_) {
    if (scope == load::Scope::kEverything || dispatcher->totals().waiting > 0) {
      due.insert(dispatcher);
    }
  }
  for (const DispatcherPtr& dispatcher : due) {
    v1::QueueLoad load = dispatcher->TakeLoad(now);
    if (load.waiting() > 0 || load.in_flight() > 0) {
      active_.insert(dispatcher);
    } else {
      active_.erase(dispatcher);
    }
    *report.add_queues() = std::move(load);
  }
  return report;
}

}  // namespace krypton::gateway
