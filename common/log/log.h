// The log of a process: one event a line on stderr, as text for people or as JSON for machines.
//
//   log::Info("replica started", {{"agent", "default/echo"}, {"replicas", 3}});
//
// `message` is a constant text, what varies is in the fields: no header values, bodies or tokens. A
// JSON line has ts (RFC 3339, µs, UTC), level, msg, component, caller and the fields; a field whose
// name is one of these is renamed with an underscore behind it. Bytes that are not UTF-8 become
// U+FFFD, so every line is valid JSON. Lines go through a bounded queue to one writer thread; when
// stderr blocks, the oldest lines are dropped and counted, and the caller goes on. Any thread may
// log; before Init, and after Shutdown, lines are written at once, as text.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace krypton::config {
class Flags;
}

namespace krypton::log {

enum class Level { kDebug, kInfo, kWarn, kError };

struct LogSettings {
  std::string format = "auto";  // text, json; auto is text on a terminal and JSON elsewhere
  std::string level = "info";   // debug, info, warn, error
  std::string component;        // "gateway"
};

// Declares --log-format and --log-level.
void AddFlags(config::Flags& flags, LogSettings* settings);

// Starts the writer. kInvalidArgument for an unknown format or level. Once a process.
absl::Status Init(const LogSettings& settings);

// One line at debug: every flag with the value that counts, however it was given. Requires: Parse
// was OK. No flag of a server is a secret; what is comes by the environment alone.
void Configuration(const config::Flags& flags);

// Writes what is queued (for at most a second, in case stderr blocks) and stops the writer.
void Shutdown();

void SetLevel(Level level);
bool Enabled(Level level);

// The value of a field. Borrows text: it must live until the call that logs returns, and does when
// it is written in that call's expression.
class Value {
 public:
  Value(std::string_view text) : value_(text) {}  // NOLINT(google-explicit-constructor)
  Value(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT
  Value(const char* text) : value_(std::string_view(text)) {}         // NOLINT
  Value(bool value) : value_(value) {}                                // NOLINT
  Value(double value) : value_(value) {}                              // NOLINT
  template <typename T>
  requires(std::is_integral_v<T>&& std::is_signed_v<T>) Value(T value)
      : value_(static_cast<int64_t>(value)) {}  // NOLINT
  template <typename T>
  requires(std::is_integral_v<T>&& std::is_unsigned_v<T> && !std::is_same_v<T, bool>) Value(T value)
      : value_(static_cast<uint64_t>(value)) {}  // NOLINT
  // absl's own string_view, where it is not the standard's.
  template <typename T>
  requires(std::is_same_v<T, absl::string_view> && !std::is_same_v<T, std::string_view>)
      Value(T text)
      : value_(std::string_view(text.data(), text.size())) {}  // NOLINT
  // In seconds, as a number.
  template <typename R, typename P>
  Value(std::chrono::duration<R, P> value)  // NOLINT
      : value_(std::chrono::duration<double>(value).count()) {}
  // "UNAVAILABLE: message".
  Value(const absl::Status& status) : value_(status.ToString()) {}  // NOLINT

  using Variant = std::variant<std::string_view, std::string, bool, int64_t, uint64_t, double>;
  const Variant& get() const { return value_; }

 private:
  Variant value_;
};

struct Field {
  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

void Write(Level level, std::string_view message, Fields fields,
           const std::source_location& caller);

inline void Debug(std::string_view message, Fields fields = {},
                  const std::source_location& caller = std::source_location::current()) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, message, fields, caller);
}
inline void Info(std::string_view message, Fields fields = {},
                 const std::source_location& caller = std::source_location::current()) {
  Write(Level::kInfo, message, fields, caller);
}
inline void Warn(std::string_view message, Fields fields = {},
                 const std::source_location& caller = std::source_location::current()) {
  Write(Level::kWarn, message, fields, caller);
}
inline void Error(std::string_view message, Fields fields = {},
                  const std::source_location& caller = std::source_location::current()) {
  Write(Level::kError, message, fields, caller);
}

// Lines since the start, by level, and those that were dropped; for krypton_log_messages_total and
// krypton_log_dropped_total.
struct Counts {
  uint64_t messages[4] = {};
  uint64_t dropped = 0;
};
Counts GetCounts();

// Lets one caller an interval through, for a line that may repeat without end. Any thread.
class Limiter {
 public:
  explicit Limiter(std::chrono::nanoseconds interval) : interval_ns_(interval.count()) {}
  bool Allow();

 private:
  const int64_t interval_ns_;
  std::atomic<int64_t> next_ns_{0};
};

}  // namespace krypton::log
