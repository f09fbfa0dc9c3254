#include "common/config/duration.h"

#include <array>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"

namespace krypton::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
constexpr int64_t kSecond = 1'000'000'000;
// Longer names first where one begins with another ("m" and "ms").
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"\u00b5s", 1'000},
                                         {"\u03bcs", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", kSecond},
                                         {"m", 60 * kSecond},
                                         {"h", 3600 * kSecond}}};

absl::Status Bad(std::string_view text) {
  return absl::InvalidArgumentError("\"" + std::string(text) +
                                    "\" is not a duration (such as 1h30m, 90s or 250ms)");
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads "12.5" off the front of `text`; false when there is no digit.
bool TakeNumber(std::string_view& text, long double& number) {
  size_t digits = 0;
  number = 0;
  while (!text.empty() && IsDigit(text.front())) {
    number = number * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++digits;
  }
  if (text.empty() || text.front() != '.') return digits > 0;
  text.remove_prefix(1);
  long double scale = 0.1L;
  while (!text.empty() && IsDigit(text.front())) {
    number += scale * (text.front() - '0');
    scale /= 10;
    text.remove_prefix(1);
    ++digits;
  }
  return digits > 0;
}

// Reads a unit off the front of `text`; null when there is none.
const Unit* TakeUnit(std::string_view& text) {
  for (const Unit& unit : kUnits) {
    if (text.starts_with(unit.name)) {
      text.remove_prefix(unit.name.size());
      return &unit;
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) return Bad(text);
  long double total = 0;
  while (!rest.empty()) {
    long double number;
    if (!TakeNumber(rest, number)) return Bad(text);
    const Unit* unit = TakeUnit(rest);
    if (unit == nullptr) return Bad(text);
    total += number * unit->nanoseconds;
  }
  if (total > static_cast<long double>(std::numeric_limits<int64_t>::max())) return Bad(text);
  // Half a nanosecond up: 0.1 is not exact in binary, and 1.1s shall be 1'100'000'000 ns.
  const auto nanoseconds = static_cast<int64_t>(total + 0.5L);
  return std::chrono::nanoseconds(negative ? -nanoseconds : nanoseconds);
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text = rest < 0 ? "-" : "";
  if (rest < 0) rest = -rest;
  for (const Unit& unit : {Unit{"h", 3600 * kSecond}, Unit{"m", 60 * kSecond}, Unit{"s", kSecond},
                           Unit{"ms", 1'000'000}, Unit{"us", 1'000}, Unit{"ns", 1}}) {
    if (rest < unit.nanoseconds) continue;
    text += std::to_string(rest / unit.nanoseconds);
    text += unit.name;
    rest %= unit.nanoseconds;
  }
  return text;
}

}  // namespace krypton::config
