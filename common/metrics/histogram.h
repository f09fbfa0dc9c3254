// A histogram whose Observe takes no lock: prometheus-cpp's takes a mutex, which threads that serve
// requests would share. Any thread.
#pragma once

#include <prometheus/client_metric.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace krypton::metrics {

class Histogram {
 public:
  // Requires: `bounds` ascend strictly; +Inf is added.
  explicit Histogram(std::vector<double> bounds);

  // Counts `value` in the first bucket whose bound is not below it.
  void Observe(double value);

  // What a scrape sees: buckets cumulated, so that +Inf equals the count.
  prometheus::ClientMetric Collect() const;

 private:
  const std::vector<double> bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;  // bounds_.size() + 1
  std::atomic<double> sum_{0};
};

}  // namespace krypton::metrics
