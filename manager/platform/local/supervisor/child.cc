#include "manager/platform/local/supervisor/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace krypton::supervisor {
namespace {

void ResetSignals() {
  // By the kernel's call: the C library refuses to touch the two that it keeps to itself, and
  // posix_spawn leaves them ignored.
  const struct {
    void (*handler)(int);
    unsigned long flags, restorer, mask;
  } reset = {SIG_DFL, 0, 0, 0};
  for (int signal = 1; signal < NSIG; ++signal) {
    syscall(SYS_rt_sigaction, signal, &reset, nullptr, sizeof reset.mask);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void Become(const Program& program, const char* folder, int output, int failure,
                         pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  ResetSignals();
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0);
  dup2(output, 1);
  dup2(output, 2);
  // All else is close-on-exec.
  const char* const work = program.folder != nullptr ? program.folder : folder;
  if (chdir(work) == 0) {
    static char* none[] = {nullptr};
    execve(program.argv[0], program.argv, program.env != nullptr ? program.env : none);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(failure, &error, sizeof error);
  _exit(127);
}

pid_t ParentOf(const char* pid) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const ssize_t got = read(fd, line, sizeof line - 1);
  close(fd);
  if (got <= 0) return -1;
  line[got] = '\0';
  // `pid (name) state ppid`; the name may hold anything, also parentheses.
  const char* after = strrchr(line, ')');
  return after == nullptr || strlen(after) < 5 ? -1 : static_cast<pid_t>(atol(after + 4));
}

}  // namespace

void Start(const Program& program, const char* folder, Child* child) {
  int output[2], failure[2];
  const pid_t self = getpid();
  if (pipe2(output, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0) {
    child->error = errno;
    child->ended = true;
    return;
  }
  const pid_t pid = fork();
  if (pid == 0) Become(program, folder, output[1], failure[1], self);
  child->error = pid < 0 ? errno : 0;
  close(output[1]);
  close(failure[1]);
  if (pid > 0) {
    setpgid(pid, pid);
    // Closed without a word by a successful exec.
    while (read(failure[0], &child->error, sizeof child->error) < 0 && errno == EINTR) {
    }
  }
  close(failure[0]);
  child->pid = pid;
  child->output = output[0];
  fcntl(child->output, F_SETFL, O_NONBLOCK);
  if (child->error != 0) child->ended = true;
}

void Signal(const Child& child, int signal) {
  if (child.pid > 0) kill(-child.pid, signal);
}

bool Reap(Child* first, Child* second) {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return true;
    if (pid == 0) return false;
    for (Child* child : {first, second}) {
      if (child->pid != pid) continue;
      child->ended = true;
      child->status = status;
    }
  }
}

void KillDescendants() {
  const pid_t self = getpid();
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return;
  while (const dirent* entry = readdir(processes)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    // Children of what dies here become ours, and are met in the next round.
    if (ParentOf(entry->d_name) == self) kill(static_cast<pid_t>(atol(entry->d_name)), SIGKILL);
  }
  closedir(processes);
}

}  // namespace krypton::supervisor
