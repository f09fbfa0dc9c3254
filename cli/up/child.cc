#include "cli/up/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>

namespace krypton::cli {
namespace {

constexpr off_t kMaxLogBytes = 16 << 20;

// Holds signals back on this thread. Between fork and exec a child has its parent's handlers, which
// would take a signal that is meant for the child as one for the parent: the child would lose it.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

// Between fork and exec: only what is safe after a fork of a process with threads.
[[noreturn]] void Become(char* const* arguments, pid_t parent, int log) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);  // It died before the line above.
  setpgid(0, 0);  // Ctrl-C is for `krypton up`, which ends its children in order.
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  for (const int handled : {SIGPIPE, SIGHUP, SIGTERM, SIGINT}) signal(handled, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // What came meanwhile comes now.
  execv(arguments[0], arguments);
  constexpr char kFailed[] = "cannot be executed\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kFailed, sizeof kFailed - 1);
  _exit(127);
}

std::string DescribeExit(int status) {
  if (WIFEXITED(status)) return "status " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  return "signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

}  // namespace

Child::Child(std::string name, std::vector<std::string> command, std::string log_file)
    : name_(std::move(name)), command_(std::move(command)), log_file_(std::move(log_file)) {}

Child::~Child() {
  if (!Running()) return;
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(pidfd_);
}

absl::Status Child::Start() {
  const int log = open(log_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) {
    return absl::UnavailableError("cannot write " + log_file_ + ": " + strerror(errno));
  }
  std::vector<char*> arguments;
  for (const std::string& part : command_) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_t pid = -1;
  int error = 0;
  {
    const SignalsHeld held;
    pid = fork();
    if (pid == 0) Become(arguments.data(), parent, log);
    error = errno;
  }
  close(log);
  if (pid < 0) return absl::UnavailableError(std::string("cannot fork: ") + strerror(error));
  pid_ = pid;
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd_ < 0) {
    const int why = errno;
    kill(pid, SIGKILL);  // Not waited for yet, so the pid cannot be another's.
    waitpid(pid, nullptr, 0);
    return absl::UnavailableError(std::string("pidfd_open: ") + strerror(why));
  }
  exit_text_.clear();
  exit_signal_ = 0;
  return absl::OkStatus();
}

void Child::Signal(int signal) const {
  if (pidfd_ >= 0) syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0);
}

bool Child::Running() {
  if (pidfd_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  close(pidfd_);
  pidfd_ = -1;
  exit_text_ = DescribeExit(status);
  exit_signal_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return false;
}

std::string Child::LogTail(size_t max_lines) const {
  std::deque<std::string> lines;
  std::ifstream file(log_file_);
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > max_lines) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

void Child::BoundLog() const {
  struct stat status = {};
  if (stat(log_file_.c_str(), &status) != 0 || status.st_size < kMaxLogBytes) return;
  // The child appends, so that it writes at the beginning after this.
  std::error_code error;
  std::filesystem::copy_file(log_file_, log_file_ + ".1",
                             std::filesystem::copy_options::overwrite_existing, error);
  if (!error) (void)!truncate(log_file_.c_str(), 0);
}

}  // namespace krypton::cli
