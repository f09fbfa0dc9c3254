#include "common/resource/syntax.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "common/resource/key.h"

namespace krypton::resource {
namespace {

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return predicate(static_cast<unsigned char>(c)); });
}

bool IsOneOf(unsigned char c, std::string_view set) {
  return set.find(static_cast<char>(c)) != set.npos;
}

constexpr std::string_view kDigits = "0123456789";

// The digits at the front, at most `most`; takes them off.
std::string_view TakeDigits(std::string_view& text, size_t most) {
  const size_t count = std::min({text.find_first_not_of(kDigits), text.size(), most});
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// What follows the digits of a quantity → its factor.
std::optional<double> Suffix(std::string_view text) {
  static constexpr struct {
    std::string_view suffix;
    double factor;
  } kSuffixes[] = {{"", 1},        {"n", 1e-9},    {"u", 1e-6},    {"m", 1e-3},
                   {"k", 1e3},     {"M", 1e6},     {"G", 1e9},     {"T", 1e12},
                   {"P", 1e15},    {"E", 1e18},    {"Ki", 0x1p10}, {"Mi", 0x1p20},
                   {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}};
  for (const auto& row : kSuffixes) {
    if (row.suffix == text) return row.factor;
  }
  if (text.empty() || absl::ascii_tolower(text[0]) != 'e') return std::nullopt;
  text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = TakeDigits(text, 2);
  if (digits.empty() || !text.empty()) return std::nullopt;
  int exponent = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  return std::pow(10.0, negative ? -exponent : exponent);
}

}  // namespace

bool IsDnsSubdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('.', at), text.size());
    if (!IsDnsLabel(text.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

bool IsQualifiedName(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != text.npos && !IsDnsSubdomain(text.substr(0, slash))) return false;
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  return !name.empty() && IsLabelValue(name);
}

bool IsLabelValue(std::string_view text) {
  if (text.empty()) return true;
  return text.size() <= 63 && absl::ascii_isalnum(text.front()) &&
         absl::ascii_isalnum(text.back()) &&
         All(text, [](unsigned char c) { return absl::ascii_isalnum(c) || IsOneOf(c, "-_."); });
}

bool IsEnvName(std::string_view text) {
  return !text.empty() && !absl::ascii_isdigit(text[0]) &&
         All(text, [](unsigned char c) { return absl::ascii_isalnum(c) || IsOneOf(c, "-_."); });
}

bool IsHeaderName(std::string_view text) {
  return !text.empty() && text.size() <= 256 && All(text, [](unsigned char c) {
    return absl::ascii_isalnum(c) || IsOneOf(c, "!#$%&'*+-.^_`|~");
  });
}

bool IsRequestPath(std::string_view text) {
  return text.size() <= 2048 && text.starts_with('/') && All(text, [](unsigned char c) {
           return c > 0x20 && c < 0x7f && !IsOneOf(c, "#\"<>\\^`{|}");
         });
}

bool IsPrintable(std::string_view text) {
  return All(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

bool HasControl(std::string_view text) {
  return !All(text, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

std::optional<double> ParseQuantity(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::string number(TakeDigits(text, 15));
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::string_view behind = TakeDigits(text, 9);
    if (number.empty() && behind.empty()) return std::nullopt;
    number.append(".").append(behind);
  }
  const auto factor = Suffix(text);
  if (number.empty() || !factor.has_value()) return std::nullopt;
  double value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value * *factor;
}

bool IsQuantity(std::string_view text) { return ParseQuantity(text).has_value(); }

bool IsReservedLabel(std::string_view name) {
  return name == "app.kubernetes.io/name" || name == "app.kubernetes.io/instance" ||
         name == "app.kubernetes.io/managed-by";
}

bool IsReservedName(std::string_view qualified_name) {
  const std::string_view prefix = qualified_name.substr(0, qualified_name.find('/'));
  return qualified_name.find('/') != qualified_name.npos &&
         (prefix == "krypton.ai" || prefix.ends_with(".krypton.ai"));
}

}  // namespace krypton::resource
