#include "common/log/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/config/flags.h"
#include "common/log/format.h"

namespace krypton::log {
namespace {

// Each takes some 400 bytes from the start.
constexpr size_t kQueueLines = 1024;
constexpr std::chrono::seconds kShutdownLimit{1};
constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
constexpr std::array<spdlog::level::level_enum, 4> kSpdlogLevels = {
    spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};

// The logger is the one global of the process (style.md).
struct Logger {
  std::string component;
  bool json = false;
  bool color = false;
  std::shared_ptr<spdlog::async_logger> logger;
  // Ends first: its thread uses what the logger has.
  std::shared_ptr<spdlog::details::thread_pool> pool;
};

std::mutex g_mutex;  // of the pointer
std::shared_ptr<Logger> g_logger;
std::atomic<Level> g_level{Level::kInfo};
std::array<std::atomic<uint64_t>, 4> g_messages;
std::atomic<uint64_t> g_dropped_before{0};  // by a logger that has been shut down

// The part of the path that tells files of this project apart.
std::string_view ShortFile(const char* path) {
  std::string_view file(path);
  for (const std::string_view root :
       {"/common/", "/gateway/", "/proxy/", "/manager/", "/controlplane/", "/cli/", "/bench/"}) {
    if (const size_t at = file.rfind(root); at != std::string_view::npos) {
      return file.substr(at + 1);
    }
  }
  return file;
}

std::optional<Level> ParseLevel(std::string_view name) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (name == kLevels[i]) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::shared_ptr<Logger> Exchange(std::shared_ptr<Logger> logger) {
  const std::lock_guard lock(g_mutex);
  return std::exchange(g_logger, std::move(logger));
}

std::shared_ptr<Logger> Current() {
  const std::lock_guard lock(g_mutex);
  return g_logger;
}

// Without a logger: at once, in one write so that lines of several threads do not mix.
void WriteDirectly(std::string line) {
  line += '\n';
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void AddFlags(config::Flags& flags, LogSettings* settings) {
  flags.AddChoice(&settings->format, "log-format", {"auto", "text", "json"},
                  "how log lines look; auto is text on a terminal and JSON elsewhere");
  flags.AddChoice(&settings->level, "log-level", {"debug", "info", "warn", "error"},
                  "the least level that is logged");
}

absl::Status Init(const LogSettings& settings) {
  const std::optional<Level> level = ParseLevel(settings.level);
  if (!level) return absl::InvalidArgumentError("unknown log level \"" + settings.level + "\"");
  const bool terminal = isatty(STDERR_FILENO) == 1;
  auto logger = std::make_shared<Logger>();
  logger->component = settings.component;
  if (settings.format == "json") {
    logger->json = true;
  } else if (settings.format == "auto") {
    logger->json = !terminal;
  } else if (settings.format != "text") {
    return absl::InvalidArgumentError("unknown log format \"" + settings.format + "\"");
  }
  logger->color = terminal && !logger->json;
  logger->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  logger->logger = std::make_shared<spdlog::async_logger>(
      "krypton", std::make_shared<spdlog::sinks::stderr_sink_st>(), logger->pool,
      spdlog::async_overflow_policy::overrun_oldest);
  logger->logger->set_pattern("%v");
  logger->logger->set_level(spdlog::level::debug);
  g_level = *level;
  Exchange(std::move(logger));
  return absl::OkStatus();
}

void Configuration(const config::Flags& flags) {
  std::string line;
  for (const auto& [name, value] : flags.Effective()) {
    line.append(line.empty() ? "--" : " --").append(name).append("=").append(value);
  }
  Debug("configuration", {{"flags", line}});
}

void Shutdown() {
  std::shared_ptr<Logger> logger = Exchange(nullptr);
  if (logger == nullptr) return;
  g_dropped_before += logger->pool->overrun_counter();
  // The pool's destructor writes what is queued and joins its thread, which may never return when
  // stderr blocks; then the process ends without those lines.
  auto done = std::make_shared<std::pair<std::mutex, std::condition_variable>>();
  auto finished = std::make_shared<bool>(false);
  std::thread([logger = std::move(logger), done, finished]() mutable {
    logger.reset();
    const std::lock_guard lock(done->first);
    *finished = true;
    done->second.notify_all();
  }).detach();
  std::unique_lock lock(done->first);
  done->second.wait_for(lock, kShutdownLimit, [&] { return *finished; });
}

void SetLevel(Level level) { g_level = level; }
bool Enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

void Write(Level level, std::string_view message, Fields fields,
           const std::source_location& caller) {
  if (!Enabled(level)) return;
  const auto index = static_cast<size_t>(level);
  g_messages[index].fetch_add(1, std::memory_order_relaxed);
  const std::shared_ptr<Logger> logger = Current();
  const Event event = {std::chrono::system_clock::now(),
                       level,
                       logger != nullptr ? std::string_view(logger->component) : "",
                       message,
                       fields,
                       ShortFile(caller.file_name()),
                       caller.line()};
  if (logger == nullptr) return WriteDirectly(FormatText(event, false));
  const std::string line = logger->json ? FormatJson(event) : FormatText(event, logger->color);
  logger->logger->log(kSpdlogLevels[index], spdlog::string_view_t(line));
}

Counts GetCounts() {
  Counts counts;
  for (size_t i = 0; i < g_messages.size(); ++i) counts.messages[i] = g_messages[i];
  counts.dropped = g_dropped_before;
  if (const auto logger = Current()) {
    counts.dropped += logger->pool->overrun_counter();
  }
  return counts;
}

bool Limiter::Allow() {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  int64_t next = next_ns_.load(std::memory_order_relaxed);
  return now >= next && next_ns_.compare_exchange_strong(next, now + interval_ns_);
}

}  // namespace krypton::log
