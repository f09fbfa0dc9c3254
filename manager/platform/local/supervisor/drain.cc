#include "manager/platform/local/supervisor/drain.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace krypton::supervisor {
namespace {

// The port in `"ops":"127.0.0.1:8888"`, or 0.
int OpsPort(int folder_fd) {
  char text[4096];
  const int fd = openat(folder_fd, "proxy.json", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return 0;
  text[got] = '\0';
  const char* at = strstr(text, "\"ops\"");
  if (at == nullptr || (at = strchr(at + 5, '"')) == nullptr) return 0;
  char address[128];
  snprintf(address, sizeof address, "%.*s", static_cast<int>(strcspn(at + 1, "\"")), at + 1);
  const char* const colon = strrchr(address, ':');
  return colon == nullptr ? 0 : atoi(colon + 1);
}

}  // namespace

Drain::Result Drain::Finish(Result result) {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  return result;
}

Drain::Result Drain::Begin(int folder_fd, const char* token) {
  const int port = OpsPort(folder_fd);
  if (port <= 0) return Result::kNotServing;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Result::kFailed;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char request[512];
  const int size = snprintf(request, sizeof request,
                            "GET /drain HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nkrypton-drain-token: "
                            "%s\r\nConnection: close\r\n\r\n",
                            port, token != nullptr ? token : "");
  // Loopback: the connection stands, or is refused, at once.
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      send(fd_, request, static_cast<size_t>(size), MSG_NOSIGNAL) != size) {
    return Finish(Result::kFailed);
  }
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  return Result::kPending;
}

Drain::Result Drain::OnReadable() {
  const ssize_t got = read(fd_, head_ + have_, sizeof head_ - 1 - static_cast<size_t>(have_));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Result::kPending;
  if (got <= 0) return Finish(Result::kFailed);
  have_ += static_cast<int>(got);
  if (have_ < 12) return Result::kPending;
  return Finish(strncmp(head_ + 8, " 200", 4) == 0 ? Result::kDone : Result::kFailed);
}

}  // namespace krypton::supervisor
