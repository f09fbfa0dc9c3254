// All the series of one process: prometheus-cpp's registry, to which other collectors can be added.
//
// Where a series is updated rarely, use prometheus::BuildCounter() and its like on this registry.
// Where it belongs to an agent that may be deleted while a request still counts on it, use
// metrics::Family (family.h). One a process, made by main() and shared by its parts; any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace krypton::metrics {

class Registry : public prometheus::Registry {
 public:
  // With krypton_build_info{version,component}, process_*, krypton_log_messages_total{level} and
  // krypton_log_dropped_total. `component` is "gateway", "manager", ...
  explicit Registry(std::string_view component);

  // Adds what `collectable` collects, for as long as this registry lives.
  void Add(std::shared_ptr<prometheus::Collectable> collectable);

  // All families, ordered by name, each name once.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
};

}  // namespace krypton::metrics
