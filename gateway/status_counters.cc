#include "gateway/status_counters.h"

#include <string>
#include <utility>

namespace krypton::gateway {

StatusCounters::StatusCounters(std::shared_ptr<metrics::CounterFamily> family,
                               metrics::Labels labels)
    : family_(std::move(family)), labels_(std::move(labels)) {}

void StatusCounters::Count(int status) {
  if (prometheus::Counter* counter = Find(status)) {
    counter->Increment();
  } else {
    Add(status)->Increment();
  }
}

prometheus::Counter* StatusCounters::Find(int status) const {
  for (const StatusCounter& known : statuses_) {
    const int its = known.status.load(std::memory_order_acquire);
    if (its == status) return known.counter.get();
    if (its == 0) break;
  }
  return nullptr;
}

std::shared_ptr<prometheus::Counter> StatusCounters::Add(int status) {
  std::lock_guard lock(adding_);
  if (retired_) return std::make_shared<prometheus::Counter>();
  metrics::Labels labels = labels_;
  labels.emplace("status", std::to_string(status));
  auto counter = family_->Get(labels);
  for (StatusCounter& known : statuses_) {
    const int its = known.status.load(std::memory_order_relaxed);
    if (its == status) break;
    if (its != 0) continue;
    known.counter = counter;
    known.status.store(status, std::memory_order_release);
    break;
  }
  return counter;
}

void StatusCounters::Retire() {
  std::lock_guard lock(adding_);
  retired_ = true;
  family_->RemoveMatching(labels_);
}

}  // namespace krypton::gateway
