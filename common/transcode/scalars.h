#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// The texts of scalar values: what a query or a path says (Go's strconv, as grpc-gateway uses it)
// and what proto3 JSON says of Timestamp, Duration, FieldMask and bytes. Pure functions; nullopt
// means "not such a value".
namespace krypton::transcode {

// 1 t T TRUE true True, 0 f F FALSE false False.
std::optional<bool> ParseBool(absl::string_view text);

// Base 10, an optional sign for the signed ones, nothing around it, within the type's range.
std::optional<int32_t> ParseInt32(absl::string_view text);
std::optional<int64_t> ParseInt64(absl::string_view text);
std::optional<uint32_t> ParseUint32(absl::string_view text);
std::optional<uint64_t> ParseUint64(absl::string_view text);

// Decimal, or exactly `NaN`, `Infinity`, `-Infinity`. What is too large for the type is no value;
// what is too small is zero.
std::optional<float> ParseFloat(absl::string_view text);
std::optional<double> ParseDouble(absl::string_view text);

// The shortest decimal that reads back as the same value, as a JSON number; NaN and infinities as
// JSON strings.
std::string FormatFloat(float value);
std::string FormatDouble(double value);

// Either alphabet, padding optional.
std::optional<std::string> DecodeBase64(absl::string_view text);
// Standard alphabet, padded.
std::string EncodeBase64(absl::string_view bytes);

// Seconds since 1970 (before: negative) and nanoseconds (0 to 999,999,999).
struct Instant {
  int64_t seconds;
  int32_t nanos;
};

// RFC 3339 with any offset, years 0001 to 9999. More than nine digits of a second are cut off.
std::optional<Instant> ParseTimestamp(absl::string_view text);
// With `Z` and 0, 3, 6 or 9 digits; nullopt outside the years 0001 to 9999.
std::optional<std::string> FormatTimestamp(Instant instant);

// A span of time; both parts have the same sign.
struct Span {
  int64_t seconds;
  int32_t nanos;
};

// Proto3 JSON: `90s`, `-1.5s`; at most 315,576,000,000 s either way.
std::optional<Span> ParseJsonDuration(absl::string_view text);
std::optional<std::string> FormatJsonDuration(Span span);
// Go's time.ParseDuration: `1m30s`, `1.5h`, `-2ms`, `0`; within int64 nanoseconds.
std::optional<Span> ParseGoDuration(absl::string_view text);

// Names of fields joined by dots: `foo_bar.baz`.
bool IsFieldPath(absl::string_view path);

// One path of a FieldMask: `fooBar.baz` ⇄ `foo_bar.baz`; nullopt where no round trip is possible.
std::optional<std::string> MaskPathFromJson(absl::string_view path);
std::optional<std::string> MaskPathToJson(absl::string_view path);

// Appends `text` as a JSON string with its quotes.
void AppendJsonString(absl::string_view text, std::string& out);

// As config::DecodePercent, for Abseil's string_view.
std::optional<std::string> DecodePercent(absl::string_view text, bool plus_is_space);

}  // namespace krypton::transcode
