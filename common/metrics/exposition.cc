#include "common/metrics/exposition.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace krypton::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
}

// `bounds` of OpenMetrics are canonical floats: "1.0", where text has "1".
void AppendBound(std::string& out, double bound, Format format) {
  const size_t begin = out.size();
  AppendNumber(out, bound);
  if (format == Format::kOpenMetrics && out.find_first_of(".eIN", begin) == std::string::npos) {
    out += ".0";
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

// One serialization; appends to one string.
class Writer {
 public:
  explicit Writer(Format format) : format_(format) {}

  void Family(const MetricFamily& family) {
    std::string_view name = family.name;
    // In OpenMetrics a counter's family has no _total; its sample has.
    if (open() && family.type == MetricType::Counter && name.ends_with("_total")) {
      name.remove_suffix(6);
    }
    out_ += "# HELP ";
    out_ += name;
    out_ += ' ';
    AppendEscaped(out_, family.help, open());
    out_ += "\n# TYPE ";
    out_ += name;
    out_ += ' ';
    out_ += TypeName(family.type, format_);
    out_ += '\n';
    for (const ClientMetric& metric : family.metric) Metric(family, metric);
  }

  std::string Finish() {
    if (open()) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  bool open() const { return format_ == Format::kOpenMetrics; }

  void Metric(const MetricFamily& family, const ClientMetric& metric) {
    switch (family.type) {
      case MetricType::Counter:
        return Sample(family.name, metric, metric.counter.value);
      case MetricType::Gauge:
        return Sample(family.name, metric, metric.gauge.value);
      case MetricType::Summary:
        return Summary(family.name, metric);
      case MetricType::Histogram:
        return Histogram(family.name, metric);
      default:
        return Sample(family.name, metric, metric.untyped.value);
    }
  }

  void Sample(std::string_view name, const ClientMetric& metric, double value,
              std::string_view suffix = "", std::string_view extra_label = "",
              double extra_value = 0) {
    out_ += name;
    out_ += suffix;
    Labels(metric, extra_label, extra_value);
    out_ += ' ';
    AppendNumber(out_, value);
    out_ += '\n';
  }

  void Labels(const ClientMetric& metric, std::string_view extra_label, double extra_value) {
    if (metric.label.empty() && extra_label.empty()) return;
    char separator = '{';
    for (const auto& label : metric.label) {
      out_ += separator;
      out_ += label.name;
      out_ += "=\"";
      AppendEscaped(out_, label.value, true);
      out_ += '"';
      separator = ',';
    }
    if (!extra_label.empty()) {
      out_ += separator;
      out_ += extra_label;
      out_ += "=\"";
      AppendBound(out_, extra_value, format_);
      out_ += '"';
    }
    out_ += '}';
  }

  void Summary(std::string_view name, const ClientMetric& metric) {
    for (const auto& quantile : metric.summary.quantile) {
      Sample(name, metric, quantile.value, "", "quantile", quantile.quantile);
    }
    Sample(name, metric, metric.summary.sample_sum, "_sum");
    Sample(name, metric, static_cast<double>(metric.summary.sample_count), "_count");
  }

  void Histogram(std::string_view name, const ClientMetric& metric) {
    double last_bound = 0;
    for (const auto& bucket : metric.histogram.bucket) {
      last_bound = bucket.upper_bound;
      Sample(name, metric, static_cast<double>(bucket.cumulative_count), "_bucket", "le",
             last_bound);
    }
    const auto count = static_cast<double>(metric.histogram.sample_count);
    if (!std::isinf(last_bound)) {
      Sample(name, metric, count, "_bucket", "le", std::numeric_limits<double>::infinity());
    }
    Sample(name, metric, metric.histogram.sample_sum, "_sum");
    Sample(name, metric, count, "_count");
  }

  const Format format_;
  std::string out_;
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Cuts `text` at the first `separator`; the rest stays in `text`.
std::string_view Take(std::string_view& text, char separator) {
  const size_t at = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return Trim(part);
}

// One element of Accept or Accept-Encoding: its value, its parameter `version`, its quality.
struct Preference {
  std::string value;
  std::string version;
  double quality = 1;
};

std::vector<Preference> ParsePreferences(std::string_view header) {
  std::vector<Preference> preferences;
  while (!header.empty()) {
    std::string_view element = Take(header, ',');
    Preference preference;
    preference.value = Lower(Take(element, ';'));
    while (!element.empty()) {
      std::string_view parameter = Take(element, ';');
      const std::string name = Lower(Take(parameter, '='));
      const std::string value(parameter);
      if (name == "q") preference.quality = std::clamp(strtod(value.c_str(), nullptr), 0.0, 1.0);
      if (name == "version") preference.version = value;
    }
    if (!preference.value.empty()) preferences.push_back(std::move(preference));
  }
  return preferences;
}

}  // namespace

Format ChooseFormat(std::string_view accept) {
  double open_metrics = 0;
  double text = 0;
  for (const Preference& preference : ParsePreferences(accept)) {
    if (preference.value == "application/openmetrics-text") {
      const bool known = preference.version == "1.0.0" || preference.version.empty();
      if (known) open_metrics = std::max(open_metrics, preference.quality);
    } else if (preference.value == "text/plain" || preference.value == "text/*" ||
               preference.value == "*/*") {
      text = std::max(text, preference.quality);
    }
  }
  return open_metrics > text ? Format::kOpenMetrics : Format::kText;
}

std::string_view ContentType(Format format) {
  return format == Format::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string Serialize(const std::vector<MetricFamily>& families, Format format) {
  Writer writer(format);
  for (const MetricFamily& family : families) writer.Family(family);
  return writer.Finish();
}

bool AcceptsGzip(std::string_view accept_encoding) {
  double gzip = -1;
  double any = -1;
  for (const Preference& preference : ParsePreferences(accept_encoding)) {
    if (preference.value == "gzip" || preference.value == "x-gzip") gzip = preference.quality;
    if (preference.value == "*") any = preference.quality;
  }
  return gzip >= 0 ? gzip > 0 : any > 0;
}

std::string Gzip(std::string_view content) {
  z_stream stream = {};
  // 15 bits of window, +16 for a gzip header.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return {};
  }
  std::string out(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

}  // namespace krypton::metrics
