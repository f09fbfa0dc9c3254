#include "common/transcode/scalars.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/config/percent.h"

namespace krypton::transcode {
namespace {

template <typename T>
std::optional<T> ParseInteger(absl::string_view text) {
  // from_chars takes no plus; Go does, for signed types.
  if (std::numeric_limits<T>::is_signed && text.size() > 1 && text[0] == '+' &&
      absl::ascii_isdigit(text[1])) {
    text.remove_prefix(1);
  }
  T value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

size_t SkipDigits(absl::string_view text, size_t at) {
  while (at < text.size() && absl::ascii_isdigit(text[at])) ++at;
  return at;
}

// [+-] (digits [. digits] | . digits) [e [+-] digits]
bool IsDecimal(absl::string_view text) {
  size_t at = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  const size_t integer_end = SkipDigits(text, at);
  size_t digits = integer_end - at;
  at = integer_end;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction_end = SkipDigits(text, at + 1);
    digits += fraction_end - at - 1;
    at = fraction_end;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent_end = SkipDigits(text, at);
    if (exponent_end == at) return false;
    at = exponent_end;
  }
  return at == text.size();
}

template <typename T>
std::optional<T> ParseReal(absl::string_view text) {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  if (!IsDecimal(text)) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  T value;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    // from_chars does not say which way.
    const double wide = std::strtod(std::string(text).c_str(), nullptr);
    if (std::fabs(wide) > 1) return std::nullopt;
    return static_cast<T>(wide);
  }
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

template <typename T>
std::string FormatReal(T value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end);
}

std::string SnakeCase(absl::string_view path) {
  std::string snake;
  for (const char c : path) {
    if (absl::ascii_isupper(c)) snake += '_';
    snake += absl::ascii_tolower(c);
  }
  return snake;
}

std::string CamelCase(absl::string_view path) {
  std::string camel;
  bool upper = false;
  for (const char c : path) {
    if (c == '_') {
      upper = true;
      continue;
    }
    camel += upper && absl::ascii_islower(c) ? absl::ascii_toupper(c) : c;
    upper = false;
  }
  return camel;
}

}  // namespace

std::optional<bool> ParseBool(absl::string_view text) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<int32_t> ParseInt32(absl::string_view text) { return ParseInteger<int32_t>(text); }
std::optional<int64_t> ParseInt64(absl::string_view text) { return ParseInteger<int64_t>(text); }
std::optional<uint32_t> ParseUint32(absl::string_view text) { return ParseInteger<uint32_t>(text); }
std::optional<uint64_t> ParseUint64(absl::string_view text) { return ParseInteger<uint64_t>(text); }

std::optional<float> ParseFloat(absl::string_view text) { return ParseReal<float>(text); }
std::optional<double> ParseDouble(absl::string_view text) { return ParseReal<double>(text); }
std::string FormatFloat(float value) { return FormatReal(value); }
std::string FormatDouble(double value) { return FormatReal(value); }

std::optional<std::string> DecodeBase64(absl::string_view text) {
  bool url_safe = false;
  for (const char c : text) {
    // Abseil would skip spaces, and take a dot for padding.
    if (absl::ascii_isspace(c) || c == '.') return std::nullopt;
    if (c == '-' || c == '_') url_safe = true;
  }
  if (url_safe && text.find_first_of("+/") != absl::string_view::npos) return std::nullopt;
  std::string bytes;
  const bool ok =
      url_safe ? absl::WebSafeBase64Unescape(text, &bytes) : absl::Base64Unescape(text, &bytes);
  if (!ok) return std::nullopt;
  return bytes;
}

std::string EncodeBase64(absl::string_view bytes) { return absl::Base64Escape(bytes); }

bool IsFieldPath(absl::string_view path) {
  bool at_start = true;
  for (const char c : path) {
    if (c == '.') {
      if (at_start) return false;
      at_start = true;
      continue;
    }
    if (c != '_' && !absl::ascii_isalpha(c) && (at_start || !absl::ascii_isdigit(c))) return false;
    at_start = false;
  }
  return !at_start;
}

std::optional<std::string> MaskPathFromJson(absl::string_view path) {
  if (path.find('_') != absl::string_view::npos) return std::nullopt;
  std::string snake = SnakeCase(path);
  if (!IsFieldPath(snake)) return std::nullopt;
  return snake;
}

std::optional<std::string> MaskPathToJson(absl::string_view path) {
  if (!IsFieldPath(path)) return std::nullopt;
  std::string camel = CamelCase(path);
  if (SnakeCase(camel) != path) return std::nullopt;
  return camel;
}

void AppendJsonString(absl::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::optional<std::string> DecodePercent(absl::string_view text, bool plus_is_space) {
  return config::DecodePercent({text.data(), text.size()}, plus_is_space);
}

}  // namespace krypton::transcode
