// Processes that are named so that a number which the kernel gave out again never stands for
// another: by pid and start time, and held by a pidfd. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/platform/local/files.h"

namespace krypton::platform {

struct ProcessId {
  pid_t pid = 0;
  // Since boot, in clock ticks (field 22 of /proc/PID/stat).
  uint64_t start_ticks = 0;

  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// 0: there is no such process.
uint64_t StartTicks(pid_t pid);
// Readable once the process has ended. NOT_FOUND: it has ended, or the pid is another's now.
absl::StatusOr<UniqueFd> OpenProcess(const ProcessId& id);
// Through the pidfd: never reaches another process.
void SignalProcess(const UniqueFd& pidfd, int signal);

// Every process carries the id of its replica in its environment, and so do all that it starts.
// Ends what is left of these replicas, wherever it hangs in the process tree. Returns how many.
int KillByInstance(const std::vector<std::string>& instances);

}  // namespace krypton::platform
