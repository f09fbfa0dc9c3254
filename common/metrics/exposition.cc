#include "common/metrics/exposition.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

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

// Where `separator` first stands outside of quoted strings (RFC 9110 §5.6.4); the end if nowhere.
size_t Find(std::string_view text, char separator) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == separator && !quoted) {
      return i;
    }
  }
  return text.size();
}

// Cuts `text` at the first `separator`; the rest stays in `text`.
std::string_view Take(std::string_view& text, char separator) {
  const size_t at = Find(text, separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return Trim(part);
}

// A parameter's value, which means the same as a token and quoted (RFC 9110 §5.6.6).
std::string Unquoted(std::string_view value) {
  if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) {
    return std::string(value);
  }
  value = value.substr(1, value.size() - 2);
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
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
      const std::string value = Unquoted(parameter);
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

struct Gzip::Impl {
  static constexpr size_t kPiece = 32 << 10;
  // With room for 16 Ki tokens: when that is full a block ends, which is work done in one go.
  static constexpr size_t kLevelBuffer = ISAL_DEF_LVL1_SMALL;

  isal_zstream stream;
  std::array<uint8_t, kLevelBuffer> level_buffer;
  std::array<uint8_t, kPiece> piece;
  std::string zipped;

  void Deflate(std::string_view text, bool last) {
    // It only reads, though its pointer is not to const.
    stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uint32_t>(text.size());
    stream.end_of_stream = last ? 1 : 0;
    do {
      stream.next_out = piece.data();
      stream.avail_out = static_cast<uint32_t>(piece.size());
      // Fails for a wrong level or flush mode alone, and those are set below.
      isal_deflate(&stream);
      zipped.append(reinterpret_cast<const char*>(piece.data()), piece.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
};

Gzip::Gzip() : impl_(std::make_unique<Impl>()) {
  isal_deflate_init(&impl_->stream);
  impl_->stream.level = 1;
  impl_->stream.level_buf = impl_->level_buffer.data();
  impl_->stream.level_buf_size = static_cast<uint32_t>(impl_->level_buffer.size());
  impl_->stream.gzip_flag = IGZIP_GZIP;
}

Gzip::~Gzip() = default;

void Gzip::Add(std::string_view text) { impl_->Deflate(text, false); }

std::string Gzip::Finish() {
  impl_->Deflate({}, true);
  return std::move(impl_->zipped);
}

}  // namespace krypton::metrics
