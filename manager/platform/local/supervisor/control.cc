#include "manager/platform/local/supervisor/control.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace krypton::supervisor {

int Control::Accept() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return -1;
  for (int i = 0; i < kMaxConnections; ++i) {
    if (connections_[i].fd >= 0) continue;
    connections_[i].fd = fd;
    connections_[i].used = connections_[i].taken = 0;
    ++count_;
    return i;
  }
  close(fd);
  return -1;
}

void Control::Close(int connection) {
  close(connections_[connection].fd);
  connections_[connection].fd = -1;
  --count_;
}

void Control::Say(int connection, const char* line) {
  const int fd = connections_[connection].fd;
  if (fd < 0) return;
  const ssize_t size = static_cast<ssize_t>(strlen(line));
  if (send(fd, line, static_cast<size_t>(size), MSG_NOSIGNAL) != size) Close(connection);
}

void Control::SayAll(const char* line) {
  for (int i = 0; i < kMaxConnections; ++i) Say(i, line);
}

void Control::Read(int connection) {
  Connection& c = connections_[connection];
  memmove(c.buffer, c.buffer + c.taken, static_cast<size_t>(c.used - c.taken));
  c.used -= c.taken;
  c.taken = 0;
  const int room = static_cast<int>(sizeof c.buffer) - c.used;
  const ssize_t got = room == 0 ? 0 : read(c.fd, c.buffer + c.used, static_cast<size_t>(room));
  if (got > 0) {
    c.used += static_cast<int>(got);
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    Close(connection);
  }
}

const char* Control::NextLine(int connection) {
  Connection& c = connections_[connection];
  char* const begin = c.buffer + c.taken;
  char* const end = static_cast<char*>(memchr(begin, '\n', static_cast<size_t>(c.used - c.taken)));
  if (end == nullptr) return nullptr;
  *end = '\0';
  c.taken = static_cast<int>(end - c.buffer) + 1;
  return begin;
}

}  // namespace krypton::supervisor
