// A metric family whose series come and go with agents. A holder of a series (a request in flight,
// an agent's queue) keeps it alive by its shared_ptr, so an agent can be deleted at any moment: its
// series leave /metrics at once, and what still counts on them harms nobody.
//
//   auto requests = metrics::CounterFamily::Make(*registry, "krypton_invocations_total", "Calls
//   ..."); std::shared_ptr<prometheus::Counter> ok =
//       requests->Get({{"agent", "echo"}, {"namespace", "default"}, {"status", "200"}});
//   ok->Increment();                                // lock-free
//   requests->RemoveMatching({{"agent", "echo"}, {"namespace", "default"}});
//
// Get and RemoveMatching lock; Get is for caching its result, not for each request. A scrape locks
// to take the list of series, not to write them. Any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/metrics/histogram.h"
#include "common/metrics/registry.h"
#include "common/metrics/writer.h"

namespace krypton::metrics {

// T: prometheus::Counter, prometheus::Gauge, metrics::Histogram.
template <typename T>
class Family : public WritingCollectable {
 public:
  // Makes the family and adds it to `registry`. For a Histogram, `buckets` are its upper bounds,
  // ascending, without +Inf.
  static std::shared_ptr<Family> Make(Registry& registry, std::string name, std::string help,
                                      std::vector<double> buckets = {});

  // The series of `labels`; made at zero when it is not there.
  std::shared_ptr<T> Get(const Labels& labels);
  // Removes each series that carries all of `labels`. Returns how many.
  size_t RemoveMatching(const Labels& labels);
  size_t size() const;

  const std::string& name() const override { return name_; }
  void Write(Writer& writer) const override;
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // What a scrape needs of one series: its labels are put together once.
  struct Series {
    template <typename... Args>
    explicit Series(const Labels& labels, const Args&... args)
        : text(LabelText(labels)), metric(args...) {}
    const std::string text;
    T metric;
  };

  using List = std::vector<std::shared_ptr<const Series>>;

  Family(std::string name, std::string help, std::vector<double> buckets);
  std::shared_ptr<const List> Listed() const;

  const std::string name_;
  const std::string help_;
  const std::vector<double> buckets_;
  mutable std::mutex mutex_;
  std::map<Labels, std::shared_ptr<Series>> series_;
  // All of series_, for scrapes: to walk the map at each of them would be a third of their time.
  // Null after a change.
  mutable std::shared_ptr<const List> listed_;
};

using CounterFamily = Family<prometheus::Counter>;
using GaugeFamily = Family<prometheus::Gauge>;
using HistogramFamily = Family<Histogram>;

// Removes the series of one agent, in all the families that it was given: those that carry the
// labels agent and namespace. Any thread.
class AgentSeries {
 public:
  template <typename T>
  void Add(std::shared_ptr<Family<T>> family) {
    removers_.push_back(
        [family = std::move(family)](const Labels& labels) { family->RemoveMatching(labels); });
  }
  void Remove(const std::string& agent_namespace, const std::string& agent) const {
    for (const auto& remove : removers_) {
      remove({{"agent", agent}, {"namespace", agent_namespace}});
    }
  }

 private:
  std::vector<std::function<void(const Labels&)>> removers_;
};

}  // namespace krypton::metrics
