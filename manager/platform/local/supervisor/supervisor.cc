#include "manager/platform/local/supervisor/supervisor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace krypton::supervisor {
namespace {

constexpr const char* kPhaseWords[] = {"running", "draining", "stopping", "stopping", "killing"};

// While processes are being killed: how often to look again.
constexpr long kKillIntervalMs = 5;
// What a sidecar may take to answer what was in flight at an agent that died.
constexpr long kAfterCrashMs = 2'000;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

int BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Field 22 of /proc/self/stat: with the pid it names this process for ever.
unsigned long long StartTicks() {
  char line[1024];
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
  if (fd >= 0) close(fd);
  if (got <= 0) return 0;
  line[got] = '\0';
  const char* at = strrchr(line, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = strchr(at + 1, ' ');
  return at == nullptr ? 0 : strtoull(at + 1, nullptr, 10);
}

}  // namespace

Supervisor::Supervisor(const Spec& spec, int listener, int folder_fd)
    : spec_(spec),
      folder_fd_(folder_fd),
      signals_(BlockSignals()),
      control_(listener),
      agent_log_(folder_fd, "agent.log", spec.log_bytes),
      proxy_log_(folder_fd, "proxy.log", spec.log_bytes) {}

void Supervisor::Run() {
  StartChildren();
  OnConnection();
  while (!(phase_ == Phase::kKilling && !children_left_)) Step();
  Pump(agent_.output, &agent_log_);
  Pump(proxy_.output, &proxy_log_);
  if (control_.connections() == 0) RemoveFiles();
}

void Supervisor::StartChildren() {
  // The agent first: what a caller waits for is its port.
  Start(spec_.agent, spec_.folder, &agent_);
  Start(spec_.proxy, spec_.folder, &proxy_);
}

void Supervisor::Step() {
  children_left_ = !Reap(&agent_, &proxy_);
  CheckChildren();
  CheckDeadlines();
  if (phase_ != Phase::kKilling) return Wait();
  if (!children_left_) return;
  KillDescendants();
  Wait();
}

long Supervisor::TimeoutMs() const {
  if (phase_ == Phase::kKilling) return kKillIntervalMs;
  int64_t next = phase_deadline_;
  if (orphan_deadline_ != 0 && (next == 0 || orphan_deadline_ < next)) next = orphan_deadline_;
  if (next == 0) return -1;
  const int64_t left = next - NowMs();
  return left < 0 ? 0 : left > 60'000 ? 60'000 : static_cast<long>(left);
}

void Supervisor::Wait() {
  pollfd fds[5 + Control::kMaxConnections];
  const int watched[5] = {signals_, control_.listener(), agent_.output, proxy_.output, drain_.fd()};
  for (int i = 0; i < 5; ++i) fds[i] = {watched[i], POLLIN, 0};
  for (int i = 0; i < Control::kMaxConnections; ++i) fds[5 + i] = {control_.fd(i), POLLIN, 0};
  if (poll(fds, 5 + Control::kMaxConnections, static_cast<int>(TimeoutMs())) <= 0) return;
  if (fds[0].revents != 0) OnSignals();
  if (fds[2].revents != 0 && !Pump(agent_.output, &agent_log_)) {
    close(agent_.output);
    agent_.output = -1;
  }
  if (fds[3].revents != 0 && !Pump(proxy_.output, &proxy_log_)) {
    close(proxy_.output);
    proxy_.output = -1;
  }
  if (fds[4].revents != 0) OnDrain(drain_.OnReadable());
  for (int i = 0; i < Control::kMaxConnections; ++i) {
    if (fds[5 + i].revents == 0 || control_.fd(i) != fds[5 + i].fd) continue;
    control_.Read(i);
    while (const char* line = control_.NextLine(i)) OnLine(line);
  }
  if (fds[1].revents != 0) OnConnection();
}

void Supervisor::OnSignals() {
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD || info.ssi_signo == SIGHUP) continue;
    // The first SIGTERM drains, the second ends it now.
    phase_ == Phase::kRunning ? BeginDrain(spec_.grace_ms) : KillAll();
  }
}

void Supervisor::OnConnection() {
  for (int connection; (connection = control_.Accept()) >= 0;) SayHello(connection);
}

void Supervisor::SayHello(int connection) {
  char line[256];
  snprintf(line, sizeof line, "hello pid=%d start=%llu agent=%d proxy=%d phase=%s ready=%d\n",
           static_cast<int>(getpid()), StartTicks(), static_cast<int>(agent_.pid),
           static_cast<int>(proxy_.pid), kPhaseWords[static_cast<int>(phase_)], ready_ ? 1 : 0);
  control_.Say(connection, line);
  if (agent_end_said_) SayExit(agent_);
  if (proxy_end_said_) SayExit(proxy_);
}

void Supervisor::OnLine(const char* line) {
  if (strcmp(line, "ready") == 0) {
    ready_ = true;
  } else if (strcmp(line, "kill") == 0) {
    KillAll();
  } else if (strncmp(line, "drain ", 6) == 0) {
    BeginDrain(atol(line + 6));
  }
}

void Supervisor::SayExit(const Child& child) {
  char line[64];
  if (child.error != 0) {
    snprintf(line, sizeof line, "exit %s error=%d\n", child.name, child.error);
  } else if (WIFSIGNALED(child.status)) {
    snprintf(line, sizeof line, "exit %s signal=%d\n", child.name, WTERMSIG(child.status));
  } else {
    snprintf(line, sizeof line, "exit %s status=%d\n", child.name, WEXITSTATUS(child.status));
  }
  control_.SayAll(line);
}

void Supervisor::CheckChildren() {
  if (agent_.ended && !agent_end_said_) {
    agent_end_said_ = true;
    // Its last words are in the log before its end is said.
    Pump(agent_.output, &agent_log_);
    SayExit(agent_);
    // What it left in its group goes at once: the port must not stay open behind the sidecar.
    Signal(agent_, SIGKILL);
    if (phase_ < Phase::kStoppingProxy) {
      StopProxy(phase_ == Phase::kRunning ? kAfterCrashMs : spec_.stop_ms);
    }
  }
  if (proxy_.ended && !proxy_end_said_) {
    proxy_end_said_ = true;
    Pump(proxy_.output, &proxy_log_);
    SayExit(proxy_);
    if (phase_ < Phase::kStoppingAgent) StopAgent();
  }
  if (agent_.ended && proxy_.ended) KillAll();
}

void Supervisor::CheckDeadlines() {
  const int64_t now = NowMs();
  if (control_.connections() > 0) {
    orphan_deadline_ = 0;
  } else if (orphan_deadline_ == 0 && phase_ == Phase::kRunning) {
    orphan_deadline_ = now + spec_.orphan_ms;
  }
  if (orphan_deadline_ != 0 && now >= orphan_deadline_) {
    orphan_deadline_ = 0;
    if (phase_ == Phase::kRunning) BeginDrain(spec_.grace_ms);
  }
  if (phase_deadline_ == 0 || now < phase_deadline_) return;
  switch (phase_) {
    case Phase::kDraining:
      return StopAgent();
    case Phase::kStoppingAgent:
      Signal(agent_, SIGKILL);
      return StopProxy(spec_.stop_ms);
    default:
      return KillAll();
  }
}

void Supervisor::Enter(Phase phase, long limit_ms) {
  const bool told =
      strcmp(kPhaseWords[static_cast<int>(phase_)], kPhaseWords[static_cast<int>(phase)]) == 0;
  phase_ = phase;
  phase_deadline_ = NowMs() + limit_ms;
  if (told) return;
  char line[64];
  snprintf(line, sizeof line, "phase %s\n", kPhaseWords[static_cast<int>(phase)]);
  control_.SayAll(line);
}

void Supervisor::BeginDrain(long grace_ms) {
  if (phase_ == Phase::kDraining) {
    // A later order may shorten it.
    const int64_t deadline = NowMs() + grace_ms;
    if (deadline < phase_deadline_) phase_deadline_ = deadline;
  }
  if (phase_ != Phase::kRunning) return;
  Enter(Phase::kDraining, grace_ms);
  OnDrain(drain_.Begin(folder_fd_, spec_.drain_token));
}

void Supervisor::OnDrain(Drain::Result result) {
  if (phase_ != Phase::kDraining || result == Drain::Result::kPending) return;
  // A sidecar that cannot be asked drains on SIGTERM too; its end is the answer then.
  if (result == Drain::Result::kFailed && proxy_.running()) return Signal(proxy_, SIGTERM);
  StopAgent();
}

void Supervisor::StopAgent() {
  if (!agent_.running()) return StopProxy(spec_.stop_ms);
  Enter(Phase::kStoppingAgent, spec_.stop_ms);
  Signal(agent_, SIGTERM);
  Signal(agent_, SIGCONT);
}

void Supervisor::StopProxy(long limit_ms) {
  if (!proxy_.running()) return KillAll();
  Enter(Phase::kStoppingProxy, limit_ms);
  Signal(proxy_, SIGTERM);
}

void Supervisor::KillAll() {
  if (phase_ == Phase::kKilling) return;
  Enter(Phase::kKilling, 0);
  phase_deadline_ = 0;
}

void Supervisor::RemoveFiles() {
  DIR* const folder = opendir(spec_.folder);
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) unlinkat(folder_fd_, entry->d_name, 0);
  closedir(folder);
  rmdir(spec_.folder);
}

}  // namespace krypton::supervisor
