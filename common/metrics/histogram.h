// A histogram whose Observe takes no lock: prometheus-cpp's takes a mutex, which threads that serve
// requests would share. An observation made in a sampled trace leaves an exemplar in its bucket:
// the latest one, without a lock, and after a histogram's first one without an allocation. Any
// thread.
#pragma once

#include <prometheus/client_metric.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/metrics/exemplar.h"
#include "common/metrics/trace.h"

namespace krypton::metrics {

class Histogram {
 public:
  // Requires: `bounds` ascend strictly; +Inf is added.
  explicit Histogram(std::vector<double> bounds);
  ~Histogram();

  // Counts `value` in the first bucket whose bound is not below it.
  void Observe(double value) { Count(value); }
  // Likewise; with a trace, `value` becomes the bucket's exemplar.
  void Observe(double value, TraceId trace);

  // What a scrape sees: buckets cumulated, so that +Inf equals the count.
  struct Reading {
    std::vector<uint64_t> cumulated;                 // bounds + 1
    std::vector<std::optional<Exemplar>> exemplars;  // Empty, or bounds + 1.
    double sum = 0;
  };
  // Into `reading`, so that a scrape of many histograms uses one.
  void Read(Reading& reading) const;
  prometheus::ClientMetric Collect() const;

 private:
  // Returns the index of its bucket.
  size_t Count(double value);
  ExemplarSlot* Slots();

  const std::vector<double> bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;  // bounds_.size() + 1
  std::atomic<double> sum_{0};
  // Made by the first exemplar: most agents are never traced. One a bucket.
  std::atomic<ExemplarSlot*> slots_{nullptr};
};

}  // namespace krypton::metrics
