#include "common/metrics/family.h"

#include <algorithm>
#include <type_traits>

namespace krypton::metrics {
namespace {

template <typename T>
constexpr prometheus::MetricType TypeOf() {
  if constexpr (std::is_same_v<T, prometheus::Counter>) return prometheus::MetricType::Counter;
  if constexpr (std::is_same_v<T, prometheus::Gauge>) return prometheus::MetricType::Gauge;
  return prometheus::MetricType::Histogram;
}

bool Carries(const Labels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = labels.find(label.first);
    return found != labels.end() && found->second == label.second;
  });
}

}  // namespace

template <typename T>
Family<T>::Family(std::string name, std::string help, std::vector<double> buckets)
    : name_(std::move(name)), help_(std::move(help)), buckets_(std::move(buckets)) {}

template <typename T>
std::shared_ptr<Family<T>> Family<T>::Make(Registry& registry, std::string name, std::string help,
                                           std::vector<double> buckets) {
  std::shared_ptr<Family> family(new Family(std::move(name), std::move(help), std::move(buckets)));
  registry.AddFamily(family);
  return family;
}

template <typename T>
std::shared_ptr<T> Family<T>::Get(const Labels& labels) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Series>& series = series_[labels];
  if (series == nullptr) {
    if constexpr (std::is_same_v<T, Histogram>) {
      series = std::make_shared<Series>(labels, buckets_);
    } else {
      series = std::make_shared<Series>(labels);
    }
    listed_ = nullptr;
  }
  return {series, &series->metric};
}

template <typename T>
size_t Family<T>::RemoveMatching(const Labels& labels) {
  const std::lock_guard lock(mutex_);
  const size_t removed =
      std::erase_if(series_, [&](const auto& item) { return Carries(item.first, labels); });
  if (removed > 0) listed_ = nullptr;
  return removed;
}

template <typename T>
auto Family<T>::Listed() const -> std::shared_ptr<const List> {
  const std::lock_guard lock(mutex_);
  if (listed_ == nullptr) {
    auto list = std::make_shared<List>();
    list->reserve(series_.size());
    for (const auto& [labels, series] : series_) list->push_back(series);
    listed_ = std::move(list);
  }
  return listed_;
}

template <typename T>
size_t Family<T>::size() const {
  const std::lock_guard lock(mutex_);
  return series_.size();
}

template <typename T>
void Family<T>::Write(Writer& writer) const {
  const std::shared_ptr<const List> all = Listed();
  if constexpr (std::is_same_v<T, Histogram>) {
    writer.HistogramHeader(name_, help_, buckets_);
    for (const auto& series : *all) writer.Series(series->text, series->metric);
  } else {
    writer.Header(name_, help_, TypeOf<T>());
    for (const auto& series : *all) writer.Value(series->text, series->metric.Value());
  }
}

template <typename T>
std::vector<prometheus::MetricFamily> Family<T>::Collect() const {
  prometheus::MetricFamily family{name_, help_, TypeOf<T>(), {}};
  const std::lock_guard lock(mutex_);
  family.metric.reserve(series_.size());
  for (const auto& [labels, series] : series_) {
    prometheus::ClientMetric metric = series->metric.Collect();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    family.metric.push_back(std::move(metric));
  }
  return {std::move(family)};
}

template class Family<prometheus::Counter>;
template class Family<prometheus::Gauge>;
template class Family<Histogram>;

}  // namespace krypton::metrics
