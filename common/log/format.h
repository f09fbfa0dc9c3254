// How a log line looks. Pure functions, apart from log.h so that tests can hold them to the letter.
#pragma once

#include <chrono>
#include <source_location>
#include <string>
#include <string_view>

#include "common/log/log.h"

namespace krypton::log {

struct Event {
  std::chrono::system_clock::time_point time;
  Level level;
  std::string_view component;
  std::string_view message;
  Fields fields;
  std::string_view file;
  unsigned line;
};

// {"ts":"2026-11-24T20:15:00.123456Z","level":"info","msg":"...","component":"gateway",...}
std::string FormatJson(const Event& event);
// 20:15:00.123 INFO  gateway: replica started agent=default/echo replicas=3
std::string FormatText(const Event& event, bool color);

// `text` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace krypton::log
