#include "manager/platform/local/supervisor_link.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace krypton::platform {
namespace {

constexpr int kListener = 3;  // As supervisor/main.cc expects them.
constexpr int kReservation = 4;

// A socket's path may have 107 bytes; the folder's may be longer. This one never is.
absl::StatusOr<sockaddr_un> ControlAddress(const UniqueFd& folder) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control.sock",
           folder.get());
  return address;
}

UniqueFd OpenFolder(const std::string& folder) {
  return UniqueFd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

absl::StatusOr<UniqueFd> Listen(const std::string& folder) {
  const UniqueFd folder_fd = OpenFolder(folder);
  if (!folder_fd.valid()) return ErrnoStatus("opening", folder);
  const auto address = ControlAddress(folder_fd);
  if (!address.ok()) return address.status();
  UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      listen(listener.get(), 4) != 0) {
    return ErrnoStatus("making the control socket in", folder);
  }
  return listener;
}

absl::StatusOr<UniqueFd> Connect(const std::string& folder) {
  const UniqueFd folder_fd = OpenFolder(folder);
  if (!folder_fd.valid()) return ErrnoStatus("opening", folder);
  const auto address = ControlAddress(folder_fd);
  if (!address.ok()) return address.status();
  UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) !=
      0) {
    return absl::NotFoundError(fmt::format("no supervisor listens in {}", folder));
  }
  return connection;
}

// The text in a file that only descriptors name.
absl::StatusOr<UniqueFd> MemoryFile(const std::string& text) {
  UniqueFd fd(memfd_create("krypton-spec", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("making", "a memory file");
  for (size_t at = 0; at < text.size();) {
    const ssize_t wrote = write(fd.get(), text.data() + at, text.size() - at);
    if (wrote <= 0) return ErrnoStatus("writing", "a memory file");
    at += static_cast<size_t>(wrote);
  }
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// A session of its own, clean signals, and no descriptor but the five that are named.
absl::StatusOr<pid_t> Spawn(const std::string& binary, int spec, int listener, int reservation) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&actions);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // Ours may be among the numbers that they go to: first out of the way, then into place.
  const int away = std::max({spec, listener, reservation, kReservation}) + 1;
  const std::pair<int, int> places[] = {
      {spec, 0}, {listener, kListener}, {reservation, kReservation}};
  for (const auto& [from, to] : places) {
    posix_spawn_file_actions_adddup2(&actions, from, away + to);
  }
  for (const auto& [from, to] : places) {
    posix_spawn_file_actions_adddup2(&actions, away + to, to);
  }
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, kReservation + 1);
  char* const argv[] = {const_cast<char*>("krypton-supervisor"), nullptr};
#ifdef KRYPTON_SANITIZED
  char* const* const environment = environ;  // The sanitizer's options.
#else
  char* const environment[] = {nullptr};
#endif
  pid_t pid = 0;
  const int error = posix_spawn(&pid, binary.c_str(), &actions, &attributes, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return absl::ErrnoToStatus(error, fmt::format("starting {}", binary));
  return pid;
}

std::string DescribeExit(const std::string& who, const std::string& how, int number) {
  const std::string subject = who == "proxy" ? "the sidecar" : "the agent";
  if (how == "status") return fmt::format("{} exited with status {}", subject, number);
  if (how == "signal") {
    const char* const name = sigabbrev_np(number);
    return fmt::format("{} was ended by signal {} (SIG{})", subject, number,
                       name == nullptr ? "?" : name);
  }
  return fmt::format("{} cannot be started: {}", subject, strerrordesc_np(number));
}

}  // namespace

SupervisorLink::SupervisorLink(Loop& loop, UniqueFd connection, UniqueFd pidfd,
                               ProcessId supervisor, bool ours)
    : loop_(loop),
      connection_(std::move(connection)),
      pidfd_(std::move(pidfd)),
      supervisor_(supervisor),
      ours_(ours) {}

SupervisorLink::~SupervisorLink() {
  if (connection_.valid()) loop_.Unwatch(connection_.get());
  if (pidfd_.valid()) loop_.Unwatch(pidfd_.get());
}

absl::StatusOr<std::unique_ptr<SupervisorLink>> SupervisorLink::Start(Loop& loop,
                                                                      const std::string& binary,
                                                                      const std::string& folder,
                                                                      const std::string& spec,
                                                                      const UniqueFd& reservation) {
  auto listener = platform::Listen(folder);
  if (!listener.ok()) return listener.status();
  // Connected before it lives: its first act is to accept this.
  auto connection = Connect(folder);
  if (!connection.ok()) return connection.status();
  const auto spec_file = MemoryFile(spec);
  if (!spec_file.ok()) return spec_file.status();
  const auto pid = Spawn(binary, spec_file->get(), listener->get(), reservation.get());
  if (!pid.ok()) return pid.status();
  // Not waited for yet, so the pid cannot be another's.
  const ProcessId id{*pid, StartTicks(*pid)};
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  if (!pidfd.valid()) {
    const absl::Status failure = ErrnoStatus("opening process", fmt::format("{}", *pid));
    kill(*pid, SIGKILL);
    waitpid(*pid, nullptr, 0);
    return failure;
  }
  return std::unique_ptr<SupervisorLink>(
      new SupervisorLink(loop, *std::move(connection), std::move(pidfd), id, true));
}

absl::StatusOr<std::unique_ptr<SupervisorLink>> SupervisorLink::Adopt(Loop& loop,
                                                                      const std::string& folder,
                                                                      const ProcessId& supervisor) {
  auto connection = Connect(folder);
  if (!connection.ok()) return connection.status();
  auto pidfd = OpenProcess(supervisor);
  if (!pidfd.ok()) {
    // Somebody listens, but not whom we know: it is told to end, and counts as gone.
    const std::string_view kill = "kill\n";
    send(connection->get(), kill.data(), kill.size(), MSG_NOSIGNAL);
    return pidfd.status();
  }
  return std::unique_ptr<SupervisorLink>(
      new SupervisorLink(loop, *std::move(connection), *std::move(pidfd), supervisor, false));
}

void SupervisorLink::Listen(Events events) {
  events_ = std::move(events);
  loop_.Watch(connection_.get(), [this] { OnReadable(); });
  loop_.Watch(pidfd_.get(), [this] { OnEnded(); });
}

void SupervisorLink::Send(const std::string& line) {
  if (connection_.valid()) send(connection_.get(), line.data(), line.size(), MSG_NOSIGNAL);
}

void SupervisorLink::NoteReady() { Send("ready\n"); }

void SupervisorLink::Drain(std::chrono::milliseconds grace) {
  Send(fmt::format("drain {}\n", grace.count()));
}

void SupervisorLink::Kill() { Send("kill\n"); }

void SupervisorLink::KillSupervisor() { SignalProcess(pidfd_, SIGKILL); }

void SupervisorLink::OnReadable() {
  char buffer[4096];
  const ssize_t got = read(connection_.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    // Its end is heard through the pidfd.
    loop_.Unwatch(connection_.get());
    connection_.Reset();
    return;
  }
  received_.append(buffer, static_cast<size_t>(got));
  for (size_t end; (end = received_.find('\n')) != std::string::npos;) {
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    OnLine(line);
  }
}

void SupervisorLink::OnLine(const std::string& line) {
  int agent = 0, ready = 0, number = 0;
  char who[16], how[16], phase[16];
  if (sscanf(line.c_str(), "hello pid=%*d start=%*u agent=%d proxy=%*d phase=%15s ready=%d", &agent,
             phase, &ready) == 3) {
    agent_pid_ = agent;
    said_hello_ = true;
    if (events_.on_hello) events_.on_hello(ready != 0, strcmp(phase, "running") != 0);
  } else if (sscanf(line.c_str(), "exit %15s %15[a-z]=%d", who, how, &number) == 3) {
    if (events_.on_failure) events_.on_failure(who, DescribeExit(who, how, number));
  }
}

void SupervisorLink::OnEnded() {
  // What it said last comes before its end.
  while (connection_.valid()) {
    const int before = connection_.get();
    char peek;
    if (recv(before, &peek, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) break;
    OnReadable();
  }
  ended_abnormally_ = true;
  if (ours_) {
    int status = 0;
    const pid_t reaped = waitpid(supervisor_.pid, &status, WNOHANG);
    if (reaped == supervisor_.pid) ended_abnormally_ = status != 0;
  }
  loop_.Unwatch(pidfd_.get());
  if (connection_.valid()) loop_.Unwatch(connection_.get());
  connection_.Reset();
  pidfd_.Reset();
  // Its receiver may destroy this.
  const std::function<void()> on_gone = std::move(events_.on_gone);
  if (on_gone) on_gone();
}

}  // namespace krypton::platform
