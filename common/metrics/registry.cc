#include "common/metrics/registry.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <thread>
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

void Merge(std::map<std::string, prometheus::MetricFamily>& families,
           prometheus::MetricFamily family) {
  auto& same = families[family.name];
  if (same.name.empty()) {
    same = std::move(family);
  } else {
    std::move(family.metric.begin(), family.metric.end(), std::back_inserter(same.metric));
  }
}

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

void Registry::AddFamily(std::shared_ptr<WritingCollectable> family) {
  const std::lock_guard lock(mutex_);
  writing_.push_back(std::move(family));
}

Registry::Writing Registry::writing() const {
  const std::lock_guard lock(mutex_);
  return writing_;
}

Registry::Collected Registry::CollectOthers() const {
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables;
  {
    const std::lock_guard lock(mutex_);
    collectables = collectables_;
  }
  Collected collected;
  for (auto& family : prometheus::Registry::Collect()) Merge(collected, std::move(family));
  for (const auto& collectable : collectables) {
    for (auto& family : collectable->Collect()) Merge(collected, std::move(family));
    std::this_thread::yield();  // As Writer does.
  }
  return collected;
}

std::string Registry::Expose(Format format) const {
  std::string text;
  Expose(format, [&text](std::string_view piece) { text += piece; });
  return text;
}

void Registry::Expose(Format format, Writer::Sink sink) const {
  Collected collected = CollectOthers();
  std::map<std::string_view, const WritingCollectable*> writing;
  const Writing families = this->writing();
  for (const auto& family : families) {
    const bool alone = !collected.contains(family->name()) &&
                       writing.try_emplace(family->name(), family.get()).second;
    if (alone) continue;
    // All lines of a family stand together, whoever has them.
    if (const auto other = writing.find(family->name()); other != writing.end()) {
      for (auto& part : other->second->Collect()) Merge(collected, std::move(part));
      writing.erase(other);
    }
    for (auto& part : family->Collect()) Merge(collected, std::move(part));
  }
  Writer writer(format, std::move(sink));
  auto next = writing.begin();
  for (const auto& [name, family] : collected) {
    for (; next != writing.end() && next->first < name; ++next) next->second->Write(writer);
    writer.Family(family);
  }
  for (; next != writing.end(); ++next) next->second->Write(writer);
  writer.Finish();
}

std::vector<prometheus::MetricFamily> Registry::Collect() const {
  Collected collected = CollectOthers();
  for (const auto& writing : this->writing()) {
    for (auto& family : writing->Collect()) Merge(collected, std::move(family));
  }
  std::vector<prometheus::MetricFamily> families;
  families.reserve(collected.size());
  for (auto& [name, family] : collected) families.push_back(std::move(family));
  return families;
}

}  // namespace krypton::metrics
