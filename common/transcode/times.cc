// The texts of Timestamp and Duration; the rest of scalars.h is in scalars.cc.

#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

constexpr int64_t kMinTimestamp = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kMaxTimestamp = 253402300799;  // 9999-12-31T23:59:59Z
constexpr int64_t kMaxDuration = 315576000000;   // 10,000 years, as duration.proto says

// Takes exactly `count` digits off the front.
std::optional<int> TakeDigits(absl::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!absl::ascii_isdigit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool TakeChar(absl::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// Takes digits off the front and reads the first nine as billionths.
std::optional<int32_t> TakeFraction(absl::string_view& text) {
  if (text.empty() || !absl::ascii_isdigit(text[0])) return std::nullopt;
  int32_t nanos = 0;
  int32_t unit = 100000000;
  while (!text.empty() && absl::ascii_isdigit(text[0])) {
    nanos += (text[0] - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return nanos;
}

// `Z`, `+hh:mm` or `-hh:mm`, as seconds east; nothing may follow.
std::optional<int64_t> TakeOffset(absl::string_view text) {
  if (text == "Z") return 0;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const std::optional<int> hours = TakeDigits(text, 2);
  if (!hours || !TakeChar(text, ':')) return std::nullopt;
  const std::optional<int> minutes = TakeDigits(text, 2);
  if (!minutes || !text.empty() || *hours > 24 || *minutes > 60) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

// `.` and 3, 6 or 9 digits; empty for zero.
std::string Fraction(int32_t nanos) {
  if (nanos == 0) return "";
  std::string digits = absl::StrFormat(".%09d", nanos);
  while (digits.size() > 4 && digits.compare(digits.size() - 3, 3, "000") == 0) {
    digits.resize(digits.size() - 3);
  }
  return digits;
}

}  // namespace

std::optional<Instant> ParseTimestamp(absl::string_view text) {
  const std::optional<int> year = TakeDigits(text, 4);
  if (!year || !TakeChar(text, '-')) return std::nullopt;
  const std::optional<int> month = TakeDigits(text, 2);
  if (!month || !TakeChar(text, '-')) return std::nullopt;
  const std::optional<int> day = TakeDigits(text, 2);
  if (!day || !TakeChar(text, 'T')) return std::nullopt;
  const std::optional<int> hour = TakeDigits(text, 2);
  if (!hour || !TakeChar(text, ':')) return std::nullopt;
  const std::optional<int> minute = TakeDigits(text, 2);
  if (!minute || !TakeChar(text, ':')) return std::nullopt;
  const std::optional<int> second = TakeDigits(text, 2);
  if (!second) return std::nullopt;
  int32_t nanos = 0;
  if (TakeChar(text, '.')) {
    const std::optional<int32_t> fraction = TakeFraction(text);
    if (!fraction) return std::nullopt;
    nanos = *fraction;
  }
  const std::optional<int64_t> offset = TakeOffset(text);
  if (!offset) return std::nullopt;
  const absl::CivilSecond civil(*year, *month, *day, *hour, *minute, *second);
  // CivilSecond carries over what is out of range; RFC 3339 has no 32nd of a month.
  if (civil.month() != *month || civil.day() != *day || civil.hour() != *hour ||
      civil.minute() != *minute || civil.second() != *second) {
    return std::nullopt;
  }
  const int64_t seconds = civil - absl::CivilSecond(1970) - *offset;
  if (seconds < kMinTimestamp || seconds > kMaxTimestamp) return std::nullopt;
  return Instant{seconds, nanos};
}

std::optional<std::string> FormatTimestamp(Instant instant) {
  if (instant.seconds < kMinTimestamp || instant.seconds > kMaxTimestamp || instant.nanos < 0 ||
      instant.nanos > 999999999) {
    return std::nullopt;
  }
  const absl::CivilSecond civil = absl::CivilSecond(1970) + instant.seconds;
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d%sZ", civil.year(), civil.month(),
                         civil.day(), civil.hour(), civil.minute(), civil.second(),
                         Fraction(instant.nanos));
}

std::optional<Span> ParseJsonDuration(absl::string_view text) {
  if (text.size() < 2 || text.back() != 's') return std::nullopt;
  text.remove_suffix(1);
  const int sign = text[0] == '-' ? -1 : 1;
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  const size_t dot = text.find('.');
  const absl::string_view whole = text.substr(0, dot);
  if (whole.size() > 1 && whole[0] == '0') return std::nullopt;
  int64_t seconds = 0;
  for (const char c : whole) {
    if (!absl::ascii_isdigit(c)) return std::nullopt;
    seconds = seconds * 10 + (c - '0');
    if (seconds > kMaxDuration) return std::nullopt;
  }
  int32_t nanos = 0;
  if (dot != absl::string_view::npos) {
    absl::string_view rest = text.substr(dot + 1);
    if (rest.size() > 9) return std::nullopt;
    if (!rest.empty()) {
      const std::optional<int32_t> fraction = TakeFraction(rest);
      if (!fraction || !rest.empty()) return std::nullopt;
      nanos = *fraction;
    }
  }
  return Span{sign * seconds, sign * nanos};
}

std::optional<std::string> FormatJsonDuration(Span span) {
  if (std::llabs(span.seconds) > kMaxDuration || std::abs(span.nanos) > 999999999 ||
      (span.seconds > 0 && span.nanos < 0) || (span.seconds < 0 && span.nanos > 0)) {
    return std::nullopt;
  }
  const bool negative = span.seconds < 0 || span.nanos < 0;
  return absl::StrCat(negative ? "-" : "", std::llabs(span.seconds), Fraction(std::abs(span.nanos)),
                      "s");
}

std::optional<Span> ParseGoDuration(absl::string_view text) {
  // Abseil reads Go's syntax, and `inf` besides.
  absl::Duration duration;
  if (text.find("inf") != absl::string_view::npos || !absl::ParseDuration(text, &duration)) {
    return std::nullopt;
  }
  constexpr absl::Duration kMax = absl::Nanoseconds(std::numeric_limits<int64_t>::max());
  if (duration > kMax || duration < -kMax) return std::nullopt;
  const int64_t nanos = absl::ToInt64Nanoseconds(duration);
  return Span{nanos / 1000000000, static_cast<int32_t>(nanos % 1000000000)};
}

}  // namespace krypton::transcode
