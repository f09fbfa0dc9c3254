// Samples of one kind, in nanoseconds, and their distribution.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace krypton::bench {

class Samples {
 public:
  void Add(std::int64_t ns) { values_.push_back(ns); }
  std::size_t count() const { return values_.size(); }

  // {"p50":..,"p99":..,"p999":..,"max":..} in microseconds.
  std::string Json() {
    std::sort(values_.begin(), values_.end());
    return "{\"p50\":" + At(0.5) + ",\"p99\":" + At(0.99) + ",\"p999\":" + At(0.999) +
           ",\"max\":" + At(1) + "}";
  }

 private:
  std::string At(double quantile) const {
    if (values_.empty()) return "null";
    const auto index = static_cast<std::size_t>(quantile * static_cast<double>(values_.size()));
    return std::to_string(static_cast<double>(values_[std::min(index, values_.size() - 1)]) / 1e3);
  }

  std::vector<std::int64_t> values_;
};

}  // namespace krypton::bench
