#include "common/log/format.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace krypton::log {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelTexts = {"DEBUG", "INFO ", "WARN ", "ERROR"};
constexpr std::array<std::string_view, 4> kLevelColors = {"\x1b[2m", "\x1b[32m", "\x1b[33m",
                                                          "\x1b[31m"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the valid UTF-8 character at the front of `text` (RFC 3629 §4), or 0.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // beyond U+10FFFF
  return length;
}

// Control characters as JSON writes them; they would break a line of text too.
bool AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\t':
      out += "\\t";
      return true;
    default:
      break;
  }
  const auto code = static_cast<unsigned char>(c);
  if (code >= 0x20 && code != 0x7F) return false;
  char escape[8];
  snprintf(escape, sizeof escape, "\\u%04x", code);
  out += escape;
  return true;
}

void AppendTime(std::string& out, std::chrono::system_clock::time_point time, const char* format,
                int fraction_digits) {
  const int64_t us =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  const time_t seconds = static_cast<time_t>(us / 1'000'000);
  tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[40];
  out.append(text, strftime(text, sizeof text, format, &utc));
  snprintf(text, sizeof text, ".%06d", static_cast<int>(us % 1'000'000));
  out.append(text, static_cast<size_t>(fraction_digits) + 1);
}

template <typename T>
void AppendNumber(std::string& out, T number) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof text, number);
  out.append(text, result.ptr);
}

void AppendJsonValue(std::string& out, const Value::Variant& value) {
  if (const auto* view = std::get_if<std::string_view>(&value)) return AppendJsonString(out, *view);
  if (const auto* text = std::get_if<std::string>(&value)) return AppendJsonString(out, *text);
  if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    AppendNumber(out, *number);
  } else if (const auto* natural = std::get_if<uint64_t>(&value)) {
    AppendNumber(out, *natural);
  } else {
    const double real = std::get<double>(value);
    if (std::isfinite(real)) return AppendNumber(out, real);
    out += std::isnan(real) ? "\"NaN\"" : real > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  }
}

bool IsReserved(std::string_view key) {
  for (const std::string_view reserved : {"ts", "level", "msg", "component", "caller"}) {
    if (key == reserved) return true;
  }
  return false;
}

void AppendJsonKey(std::string& out, std::string_view key) {
  out += ',';
  if (IsReserved(key)) {
    AppendJsonString(out, std::string(key) + "_");
  } else {
    AppendJsonString(out, key);
  }
  out += ':';
}

// Without quotes where nothing in it needs them.
void AppendTextValue(std::string& out, std::string_view text) {
  const bool plain = !text.empty() && text.find_first_of(" \"=\\") == std::string_view::npos;
  std::string quoted;
  AppendJsonString(quoted, text);
  if (plain && quoted.size() == text.size() + 2) {
    out += text;
  } else {
    out += quoted;
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = CharacterLength(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (length == 0) {
      out += kReplacement;
    } else if (length > 1 || !AppendEscaped(out, c)) {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

std::string FormatJson(const Event& event) {
  std::string out = "{\"ts\":\"";
  out.reserve(256);
  AppendTime(out, event.time, "%Y-%m-%dT%H:%M:%S", 6);
  out += "Z\",\"level\":\"";
  out += kLevelNames[static_cast<size_t>(event.level)];
  out += "\",\"msg\":";
  AppendJsonString(out, event.message);
  out += ",\"component\":";
  AppendJsonString(out, event.component);
  out += ",\"caller\":";
  AppendJsonString(out, std::string(event.file) + ":" + std::to_string(event.line));
  for (const Field& field : event.fields) {
    AppendJsonKey(out, field.key);
    AppendJsonValue(out, field.value.get());
  }
  out += '}';
  return out;
}

std::string FormatText(const Event& event, bool color) {
  std::string out;
  out.reserve(160);
  if (color) out += "\x1b[2m";
  AppendTime(out, event.time, "%H:%M:%S", 3);
  if (color) out += "\x1b[0m";
  out += ' ';
  if (color) out += kLevelColors[static_cast<size_t>(event.level)];
  out += kLevelTexts[static_cast<size_t>(event.level)];
  if (color) out += "\x1b[0m";
  out += ' ';
  if (!event.component.empty()) {
    out += event.component;
    out += ": ";
  }
  std::string message;
  AppendJsonString(message, event.message);
  out += std::string_view(message).substr(1, message.size() - 2);
  for (const Field& field : event.fields) {
    out += ' ';
    out += field.key;
    out += '=';
    const Value::Variant& value = field.value.get();
    if (const auto* view = std::get_if<std::string_view>(&value)) {
      AppendTextValue(out, *view);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      AppendTextValue(out, *text);
    } else {
      AppendJsonValue(out, value);
    }
  }
  return out;
}

}  // namespace krypton::log
