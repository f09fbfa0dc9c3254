#include "common/metrics/histogram.h"

#include <algorithm>
#include <limits>

namespace krypton::metrics {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1]) {
  for (size_t i = 0; i <= bounds_.size(); ++i) counts_[i] = 0;
}

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

prometheus::ClientMetric Histogram::Collect() const {
  prometheus::ClientMetric metric;
  uint64_t cumulated = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    cumulated += counts_[i].load(std::memory_order_relaxed);
    const double bound = i < bounds_.size() ? bounds_[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({cumulated, bound});
  }
  metric.histogram.sample_count = cumulated;
  metric.histogram.sample_sum = sum_.load(std::memory_order_relaxed);
  return metric;
}

}  // namespace krypton::metrics
