// All the series of one process: prometheus-cpp's registry, to which other collectors can be added.
//
// Where a series is updated rarely, use prometheus::BuildCounter() and its like on this registry.
// Where it belongs to an agent that may be deleted while a request still counts on it, use
// metrics::Family (family.h). One a process, made by main() and shared by its parts; any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/writer.h"

namespace krypton::metrics {

// A family that writes its lines itself, which for thousands of series is many times faster than to
// collect them first (Family does). Any thread.
class WritingCollectable : public prometheus::Collectable {
 public:
  virtual const std::string& name() const = 0;
  virtual void Write(Writer& writer) const = 0;
};

class Registry : public prometheus::Registry {
 public:
  // With krypton_build_info{version,component}, process_*, krypton_log_messages_total{level} and
  // krypton_log_dropped_total. `component` is "gateway", "manager", ...
  explicit Registry(std::string_view component);

  // Adds what `collectable` collects, for as long as this registry lives.
  void Add(std::shared_ptr<prometheus::Collectable> collectable);
  void AddFamily(std::shared_ptr<WritingCollectable> family);

  // What /metrics shows: all families, ordered by name, each name once. `sink` gets it in pieces of
  // about 16 KiB, between which others may run.
  void Expose(Format format, Writer::Sink sink) const;
  std::string Expose(Format format) const;
  // The same as values, for tests.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  using Collected = std::map<std::string, prometheus::MetricFamily>;
  using Writing = std::vector<std::shared_ptr<WritingCollectable>>;
  // All that does not write itself.
  Collected CollectOthers() const;
  Writing writing() const;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
  Writing writing_;
};

}  // namespace krypton::metrics
