#include "common/metrics/registry.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "common/config/version.h"
#include "common/log/log.h"
#include "common/metrics/process_collector.h"

namespace krypton::metrics {
namespace {

// Counts that the log keeps itself.
class LogCollector : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    const log::Counts counts = log::GetCounts();
    prometheus::MetricFamily messages{
        "krypton_log_messages_total", "Log lines by level.", prometheus::MetricType::Counter, {}};
    constexpr std::array<const char*, 4> kLevels = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < kLevels.size(); ++i) {
      prometheus::ClientMetric metric;
      metric.label.push_back({"level", kLevels[i]});
      metric.counter.value = static_cast<double>(counts.messages[i]);
      messages.metric.push_back(std::move(metric));
    }
    prometheus::MetricFamily dropped{"krypton_log_dropped_total",
                                     "Log lines dropped because stderr was blocked.",
                                     prometheus::MetricType::Counter,
                                     {}};
    prometheus::ClientMetric metric;
    metric.counter.value = static_cast<double>(counts.dropped);
    dropped.metric.push_back(std::move(metric));
    return {std::move(messages), std::move(dropped)};
  }
};

}  // namespace

Registry::Registry(std::string_view component) {
  prometheus::BuildGauge()
      .Name("krypton_build_info")
      .Help("Always 1; the labels say which build this is.")
      .Register(*this)
      .Add({{"version", std::string(config::Version())}, {"component", std::string(component)}})
      .Set(1);
  Add(std::make_shared<ProcessCollector>());
  Add(std::make_shared<LogCollector>());
}

void Registry::Add(std::shared_ptr<prometheus::Collectable> collectable) {
  const std::lock_guard lock(mutex_);
  collectables_.push_back(std::move(collectable));
}

std::vector<prometheus::MetricFamily> Registry::Collect() const {
  std::vector<prometheus::MetricFamily> collected = prometheus::Registry::Collect();
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables;
  {
    const std::lock_guard lock(mutex_);
    collectables = collectables_;
  }
  for (const auto& collectable : collectables) {
    for (auto& family : collectable->Collect()) collected.push_back(std::move(family));
  }
  // All lines of a family stand together, whoever collected them.
  std::map<std::string, prometheus::MetricFamily> by_name;
  for (auto& family : collected) {
    const auto [found, added] = by_name.try_emplace(family.name, prometheus::MetricFamily{});
    if (added) {
      found->second = std::move(family);
      continue;
    }
    std::move(family.metric.begin(), family.metric.end(), std::back_inserter(found->second.metric));
  }
  std::vector<prometheus::MetricFamily> families;
  families.reserve(by_name.size());
  for (auto& [name, family] : by_name) families.push_back(std::move(family));
  return families;
}

}  // namespace krypton::metrics
