#include "common/config/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "absl/status/status.h"
#include "common/config/startup_pages.h"
#include "common/log/log.h"

namespace krypton::config {
namespace {

// What the handler touches; the only state of the process that is not owned by an object.
std::atomic<int> g_signal_fd{-1};
// Remembered: a parent that dies signals by PR_SET_PDEATHSIG when it is no longer ours.
std::atomic<pid_t> g_parent{0};
std::atomic<int> g_signals_by_parent{0};
std::atomic<int> g_signals_by_others{0};

void OnSignal(int, siginfo_t* info, void*) {
  const int saved_errno = errno;
  // 0: somebody outside of this pid namespace.
  const bool by_parent =
      info->si_code == SI_USER && info->si_pid != 0 && info->si_pid == g_parent.load();
  std::atomic<int>& signals = by_parent ? g_signals_by_parent : g_signals_by_others;
  if (signals.fetch_add(1) > 0) _exit(1);
  const uint64_t one = 1;
  // Only a full counter can fail, and that is readable too.
  [[maybe_unused]] const ssize_t n = write(g_signal_fd.load(), &one, sizeof one);
  errno = saved_errno;
}

void Install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void InstallStop(int signal) {
  struct sigaction action = {};
  action.sa_sigaction = OnSignal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(signal, &action, nullptr);
}

// Each connection is a descriptor. The soft limit is low for the sake of programs that use
// select(); ours do not.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// sd_notify(3) without its library: one datagram to $NOTIFY_SOCKET.
void NotifySystemd(const char* state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nobody listens: not our failure.
  (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
  close(fd);
}

}  // namespace

struct Process::State {
  std::mutex mutex;
  absl::Status reason;
};

Process::Process() : state_(std::make_unique<State>()) {
  stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_signal_fd = stop_fd_;
  g_parent = getppid();
  g_signals_by_parent = g_signals_by_others = 0;
  Install(SIGPIPE, SIG_IGN);
  Install(SIGHUP, SIG_IGN);
  RaiseFileLimit();
  InstallStop(SIGTERM);
  InstallStop(SIGINT);
}

Process::~Process() {
  Install(SIGTERM, SIG_DFL);
  Install(SIGINT, SIG_DFL);
  g_signal_fd = -1;
  close(stop_fd_);
}

int Process::Run(const std::function<absl::Status()>& start,
                 const std::function<absl::Status()>& stop) {
  absl::Status status = start();
  if (!status.ok()) {
    log::Error("cannot start", {{"error", status.message()}});
    log::Shutdown();
    return absl::IsInvalidArgument(status) ? 2 : 1;
  }
  NotifySystemd("READY=1");
  ReleaseStartupPages();
  WaitForStop();
  NotifySystemd("STOPPING=1");
  {
    const std::lock_guard lock(state_->mutex);
    status = state_->reason;
  }
  log::Info("stopping");
  status.Update(stop());
  if (status.ok()) {
    log::Info("stopped");
  } else {
    log::Error("ended by a failure", {{"error", status.message()}});
  }
  log::Shutdown();
  return status.ok() ? 0 : 1;
}

void Process::RequestStop(absl::Status reason) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->reason.Update(reason);
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(stop_fd_, &one, sizeof one);
}

void Process::WaitForStop() {
  pollfd waited = {stop_fd_, POLLIN, 0};
  while (poll(&waited, 1, -1) < 0 && errno == EINTR) {
  }
}

int Process::stop_fd() const { return stop_fd_; }

}  // namespace krypton::config
