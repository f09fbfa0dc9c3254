#include "cli/console.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace krypton::cli {

Console::Console() : terminal_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

Console::~Console() { close(signals_); }

Console::Event Console::Wait(int fd, std::optional<std::chrono::milliseconds> timeout) {
  pollfd polled[] = {{signals_, POLLIN, 0}, {fd, POLLIN, 0}};
  const int milliseconds = timeout.has_value() ? static_cast<int>(timeout->count()) : -1;
  while (true) {
    const int ready = poll(polled, 2, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Event::kTimeout;
    signalfd_siginfo info;
    if (polled[0].revents != 0 && read(signals_, &info, sizeof info) > 0) return Event::kInterrupt;
    if (polled[1].revents != 0) return Event::kReady;
  }
}

bool Console::TakeLine(std::string* line) {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos && !(ended_ && !buffer_.empty())) return false;
  *line = buffer_.substr(0, end);
  buffer_.erase(0, end == std::string::npos ? end : end + 1);
  if (line->ends_with('\r')) line->pop_back();
  return true;
}

Console::Event Console::ReadLine(std::string* line) {
  while (!TakeLine(line)) {
    if (ended_) return Event::kEnd;
    if (const Event event = Wait(STDIN_FILENO, {}); event != Event::kReady) return event;
    char bytes[4096];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) ended_ = true;
    if (got > 0) buffer_.append(bytes, static_cast<size_t>(got));
  }
  return Event::kReady;
}

}  // namespace krypton::cli
