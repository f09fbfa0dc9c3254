#include "manager/platform/local/process.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <set>

#include "fmt/format.h"

namespace krypton::platform {
namespace {

// What /proc says, as far as it can be read at once.
std::string ReadProc(pid_t pid, const char* file) {
  const UniqueFd fd(open(fmt::format("/proc/{}/{}", pid, file).c_str(), O_RDONLY | O_CLOEXEC));
  std::string content;
  char buffer[16 << 10];
  while (fd.valid() && content.size() < (1 << 20)) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    content.append(buffer, static_cast<size_t>(got));
  }
  return content;
}

bool BelongsTo(pid_t pid, const std::vector<std::string>& marks) {
  const std::string environment = '\0' + ReadProc(pid, "environ");
  return std::any_of(marks.begin(), marks.end(), [&](const std::string& mark) {
    return environment.find(mark) != std::string::npos;
  });
}

}  // namespace

uint64_t StartTicks(pid_t pid) {
  const std::string stat = ReadProc(pid, "stat");
  size_t at = stat.rfind(')');
  for (int field = 2; at != std::string::npos && field < 22; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

absl::StatusOr<UniqueFd> OpenProcess(const ProcessId& id) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, id.pid, 0)));
  if (!pidfd.valid()) return ErrnoStatus("opening process", std::to_string(id.pid));
  // Checked after the pidfd holds it: it cannot change any more.
  if (StartTicks(id.pid) != id.start_ticks) {
    return absl::NotFoundError(fmt::format("process {} is another one by now", id.pid));
  }
  return pidfd;
}

void SignalProcess(const UniqueFd& pidfd, int signal) {
  if (pidfd.valid()) syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

int KillByInstance(const std::vector<std::string>& instances) {
  std::vector<std::string> marks;
  for (const std::string& instance : instances) {
    marks.push_back('\0' + fmt::format("KRYPTON_INSTANCE={}", instance) + '\0');
  }
  std::set<pid_t> killed;
  // What is forked while we look is found in the next round.
  for (int found = 1, round = 0; found > 0 && round < 20; ++round) {
    found = 0;
    const auto names = ListFolder("/proc");
    if (!names.ok()) break;
    for (const std::string& name : *names) {
      pid_t pid = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
      if (error != std::errc() || end != name.data() + name.size() || pid == getpid()) continue;
      const ProcessId id{pid, StartTicks(pid)};
      if (killed.count(pid) > 0 || !BelongsTo(pid, marks)) continue;
      if (const auto pidfd = OpenProcess(id); pidfd.ok()) {
        SignalProcess(*pidfd, SIGKILL);
        killed.insert(pid);
        ++found;
      }
    }
  }
  return static_cast<int>(killed.size());
}

}  // namespace krypton::platform
