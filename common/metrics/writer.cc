#include "common/metrics/writer.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <thread>

namespace krypton::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Doubles hold each whole number up to here.
constexpr double kExact = 9007199254740992;  // 2^53

template <typename T>
void AppendDigits(std::string& out, T value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::abs(value) < kExact && value == std::trunc(value)) {
    AppendDigits(out, static_cast<int64_t>(value));
  } else {
    AppendDigits(out, value);
  }
}

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void AppendLabel(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out += name;
  out += "=\"";
  AppendEscaped(out, value, true);
  out += '"';
}

// Bounds of OpenMetrics are canonical floats: "1.0", where text has "1".
std::string BoundText(double bound, Format format) {
  std::string text;
  AppendNumber(text, bound);
  if (format == Format::kOpenMetrics && text.find_first_of(".eIN") == text.npos) text += ".0";
  return text;
}

std::string With(std::string labels, std::string_view name, std::string_view value) {
  AppendLabel(labels, name, value);
  return labels;
}

std::string_view TypeName(MetricType type, Format format) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Summary:
      return "summary";
    case MetricType::Histogram:
      return "histogram";
    default:
      return format == Format::kOpenMetrics ? "unknown" : "untyped";
  }
}

}  // namespace

std::string LabelText(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) AppendLabel(text, name, value);
  return text;
}

void Writer::Header(std::string_view name, std::string_view help, MetricType type) {
  name_ = name;
  // In OpenMetrics a counter's family has no _total; its sample has.
  if (open() && type == MetricType::Counter && name.ends_with("_total")) name.remove_suffix(6);
  out_ += "# HELP ";
  out_ += name;
  out_ += ' ';
  AppendEscaped(out_, help, open());
  out_ += "\n# TYPE ";
  out_ += name;
  out_ += ' ';
  out_ += TypeName(type, format_);
  out_ += '\n';
}

void Writer::HistogramHeader(std::string_view name, std::string_view help,
                             const std::vector<double>& bounds) {
  Header(name, help, MetricType::Histogram);
  bucket_begin_ = name_ + "_bucket{";
  bucket_ends_.clear();
  for (const double bound : bounds) {
    bucket_ends_.push_back("le=\"" + BoundText(bound, format_) + "\"} ");
  }
  bucket_ends_.push_back("le=\"+Inf\"} ");
}

void Writer::Value(std::string_view labels, double value) {
  Sample(name_, "", labels, value);
  Pass();
}

void Writer::Series(std::string_view labels, const Histogram& histogram) {
  histogram.Read(reading_);
  for (size_t i = 0; i < bucket_ends_.size(); ++i) {
    out_ += bucket_begin_;
    out_ += labels;
    if (!labels.empty()) out_ += ',';
    out_ += bucket_ends_[i];
    AppendDigits(out_, reading_.cumulated[i]);
    if (open() && !reading_.exemplars.empty() && reading_.exemplars[i]) {
      AppendExemplar(*reading_.exemplars[i]);
    }
    out_ += '\n';
  }
  Sample(name_, "_sum", labels, reading_.sum);
  Sample(name_, "_count", labels, static_cast<double>(reading_.cumulated.back()));
  Pass();
}

void Writer::Pass() {
  constexpr size_t kPiece = 16 << 10;  // Some 20 us of work, the zipping too.
  if (out_.size() < kPiece) return;
  sink_(out_);
  out_.clear();
  // Else a request that wakes up on this core waits for the end of the scheduler's slice, some 3
  // ms.
  std::this_thread::yield();
}

void Writer::AppendExemplar(const Exemplar& exemplar) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out_ += " # {trace_id=\"";
  for (const uint64_t half : {exemplar.trace.high, exemplar.trace.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) out_ += kHex[half >> shift & 15];
  }
  out_ += "\"} ";
  AppendNumber(out_, exemplar.value);
  out_ += ' ';
  AppendNumber(out_, exemplar.timestamp);
}

void Writer::Sample(std::string_view name, std::string_view suffix, std::string_view labels,
                    double value) {
  out_ += name;
  out_ += suffix;
  if (!labels.empty()) {
    out_ += '{';
    out_ += labels;
    out_ += '}';
  }
  out_ += ' ';
  AppendNumber(out_, value);
  out_ += '\n';
}

void Writer::Family(const MetricFamily& family) {
  Header(family.name, family.help, family.type);
  for (const ClientMetric& metric : family.metric) Collected(family, metric);
}

void Writer::Collected(const MetricFamily& family, const ClientMetric& metric) {
  std::string labels;
  for (const auto& label : metric.label) AppendLabel(labels, label.name, label.value);
  switch (family.type) {
    case MetricType::Counter:
      return Value(labels, metric.counter.value);
    case MetricType::Gauge:
      return Value(labels, metric.gauge.value);
    case MetricType::Summary:
      for (const auto& quantile : metric.summary.quantile) {
        Value(With(labels, "quantile", BoundText(quantile.quantile, format_)), quantile.value);
      }
      Sample(name_, "_sum", labels, metric.summary.sample_sum);
      return Sample(name_, "_count", labels, static_cast<double>(metric.summary.sample_count));
    case MetricType::Histogram: {
      const auto count = static_cast<double>(metric.histogram.sample_count);
      for (const auto& bucket : metric.histogram.bucket) {
        if (std::isinf(bucket.upper_bound)) break;
        Sample(name_, "_bucket", With(labels, "le", BoundText(bucket.upper_bound, format_)),
               static_cast<double>(bucket.cumulative_count));
      }
      Sample(name_, "_bucket", With(labels, "le", "+Inf"), count);
      Sample(name_, "_sum", labels, metric.histogram.sample_sum);
      return Sample(name_, "_count", labels, count);
    }
    default:
      return Value(labels, metric.untyped.value);
  }
}

void Writer::Finish() {
  if (open()) out_ += "# EOF\n";
  sink_(out_);
  out_.clear();
}

}  // namespace krypton::metrics
