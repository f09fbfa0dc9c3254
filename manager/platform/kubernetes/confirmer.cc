#include "manager/platform/kubernetes/confirmer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace krypton::kube {
namespace {

constexpr int kTimeoutMs = 1000;

// The address as a socket takes it; 0: it is none.
socklen_t Resolve(const std::string& ip, int port, sockaddr_storage* address) {
  std::memset(address, 0, sizeof *address);
  auto* v4 = reinterpret_cast<sockaddr_in*>(address);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    return sizeof *v4;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(address);
  if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) != 1) return 0;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  return sizeof *v6;
}

bool Refuses(const std::string& ip, int port) {
  sockaddr_storage address;
  const socklen_t size = Resolve(ip, port, &address);
  if (size == 0) return false;
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int error = 0;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) error = errno;
  if (error == EINPROGRESS) {
    pollfd waiting{fd, POLLOUT, 0};
    socklen_t length = sizeof error;
    error = ETIMEDOUT;
    if (poll(&waiting, 1, kTimeoutMs) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  close(fd);
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

}  // namespace

void Confirmer::Ask(const std::string& ip, int port, std::function<void()> dead) {
  std::lock_guard lock(mutex_);
  if (questions_.size() >= kMaxQuestions) return;
  questions_.push_back({ip, port, std::move(dead)});
  changed_.notify_one();
}

void Confirmer::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !questions_.empty(); })) {
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    if (Refuses(question.ip, question.port)) question.dead();
    lock.lock();
  }
}

}  // namespace krypton::kube
