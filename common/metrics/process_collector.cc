#include "common/metrics/process_collector.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "common/metrics/gauge.h"

namespace krypton::metrics {
namespace {

prometheus::MetricFamily Counter(std::string name, std::string help, double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  return {std::move(name), std::move(help), prometheus::MetricType::Counter, {std::move(metric)}};
}

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

double OpenFiles() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count - 1;  // the folder's own
}

// Seconds since 1970 at which this machine booted, from /proc/stat; what start times count from.
double BootTime() {
  static const double boot = [] {
    const std::string stat = ReadFile("/proc/stat");
    const size_t at = stat.find("\nbtime ");
    return at == std::string::npos ? 0 : strtod(stat.c_str() + at + 7, nullptr);
  }();
  return boot;
}

// The fields of /proc/self/stat that are used here (proc(5) counts them from 1).
struct Stat {
  double cpu_seconds = 0;     // 14, 15
  double threads = 0;         // 20
  double start_seconds = 0;   // 22
  double virtual_bytes = 0;   // 23
  double resident_bytes = 0;  // 24
};

Stat ReadStat() {
  const std::string text = ReadFile("/proc/self/stat");
  // The second field is the name in parentheses, which may hold anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  Stat stat;
  std::string field;
  for (int number = 3; number <= 24 && fields >> field; ++number) {
    const double value = strtod(field.c_str(), nullptr);
    if (number == 14 || number == 15) stat.cpu_seconds += value / ticks;
    if (number == 20) stat.threads = value;
    if (number == 22) stat.start_seconds = BootTime() + value / ticks;
    if (number == 23) stat.virtual_bytes = value;
    if (number == 24) stat.resident_bytes = value * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  return stat;
}

double Limit(__rlimit_resource resource) {
  rlimit limit = {};
  if (getrlimit(resource, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_cur);
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessCollector::Collect() const {
  const Stat stat = ReadStat();
  return {
      Counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
              stat.cpu_seconds),
      Gauge("process_open_fds", "Number of open file descriptors.", OpenFiles()),
      Gauge("process_max_fds", "Maximum number of open file descriptors.", Limit(RLIMIT_NOFILE)),
      Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", stat.virtual_bytes),
      Gauge("process_virtual_memory_max_bytes",
            "Maximum amount of virtual memory available in bytes, or -1 without a limit.",
            Limit(RLIMIT_AS)),
      Gauge("process_resident_memory_bytes", "Resident memory size in bytes.", stat.resident_bytes),
      Gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
            stat.start_seconds),
      Gauge("process_threads", "Number of OS threads in the process.", stat.threads),
  };
}

}  // namespace krypton::metrics
