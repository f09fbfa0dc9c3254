#include "common/metrics/exposition.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace krypton::metrics {
namespace {

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
