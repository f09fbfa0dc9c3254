// Writes the lines of one scrape, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0 (which
// alone has exemplars). Of a family: first its header, then its series. Made for tens of thousands
// of series: what is the same for all series of a family is put together once. One thread, which
// gives its core to others now and then: hold no lock that traffic takes.
#pragma once

#include <prometheus/metric_family.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/metrics/histogram.h"

namespace krypton::metrics {

enum class Format { kText, kOpenMetrics };

using Labels = std::map<std::string, std::string>;

// As the lines have them: `agent="echo",namespace="default"`, escaped.
std::string LabelText(const Labels& labels);

class Writer {
 public:
  // Takes the text in pieces of about 16 KiB, in order.
  using Sink = std::function<void(std::string_view)>;

  Writer(Format format, Sink sink) : format_(format), sink_(std::move(sink)) {}

  void Header(std::string_view name, std::string_view help, prometheus::MetricType type);
  void HistogramHeader(std::string_view name, std::string_view help,
                       const std::vector<double>& bounds);
  // Series of the family whose header came last; `labels` as LabelText makes them.
  void Value(std::string_view labels, double value);
  void Series(std::string_view labels, const Histogram& histogram);

  // A whole family that prometheus-cpp collected.
  void Family(const prometheus::MetricFamily& family);

  // Passes the rest to the sink.
  void Finish();

 private:
  bool open() const { return format_ == Format::kOpenMetrics; }
  void Collected(const prometheus::MetricFamily& family, const prometheus::ClientMetric& metric);
  void Sample(std::string_view name, std::string_view suffix, std::string_view labels,
              double value);
  void AppendExemplar(const Exemplar& exemplar);
  void Pass();

  const Format format_;
  const Sink sink_;
  std::string out_;   // Not passed yet.
  std::string name_;  // Of the family.
  // Of the family's histograms: `name_bucket{`, and `le="0.5"} ` for each bucket.
  std::string bucket_begin_;
  std::vector<std::string> bucket_ends_;
  Histogram::Reading reading_;
};

}  // namespace krypton::metrics
