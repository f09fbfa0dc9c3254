#include "common/metrics/histogram.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace krypton::metrics {
namespace {

double SecondsSinceEpoch() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) /
         1000;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1]) {
  for (size_t i = 0; i <= bounds_.size(); ++i) counts_[i] = 0;
}

Histogram::~Histogram() { delete[] slots_.load(); }

void Histogram::Observe(double value, TraceId trace) {
  const size_t bucket = Count(value);
  if (trace) Slots()[bucket].Offer({trace, value, SecondsSinceEpoch()});
}

size_t Histogram::Count(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  const auto bucket = static_cast<size_t>(bound - bounds_.begin());
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  return bucket;
}

ExemplarSlot* Histogram::Slots() {
  ExemplarSlot* slots = slots_.load(std::memory_order_acquire);
  if (slots != nullptr) return slots;
  auto made = std::make_unique<ExemplarSlot[]>(bounds_.size() + 1);
  if (slots_.compare_exchange_strong(slots, made.get(), std::memory_order_acq_rel)) {
    return made.release();
  }
  return slots;
}

void Histogram::Read(Reading& reading) const {
  reading.cumulated.clear();
  reading.exemplars.clear();
  const ExemplarSlot* slots = slots_.load(std::memory_order_acquire);
  uint64_t cumulated = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    cumulated += counts_[i].load(std::memory_order_relaxed);
    reading.cumulated.push_back(cumulated);
    if (slots != nullptr) reading.exemplars.push_back(slots[i].Read());
  }
  reading.sum = sum_.load(std::memory_order_relaxed);
}

prometheus::ClientMetric Histogram::Collect() const {
  Reading reading;
  Read(reading);
  prometheus::ClientMetric metric;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    const double bound = i < bounds_.size() ? bounds_[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({reading.cumulated[i], bound});
  }
  metric.histogram.sample_count = reading.cumulated.back();
  metric.histogram.sample_sum = reading.sum;
  return metric;
}

}  // namespace krypton::metrics
