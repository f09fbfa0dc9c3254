#include "manager/platform/kubernetes/confirmer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace krypton::kube {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{1000};

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

// One attempt to connect.
class Attempt {
 public:
  Attempt(const std::string& ip, int port) {
    sockaddr_storage address;
    const socklen_t size = Resolve(ip, port, &address);
    if (size == 0) return;
    fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return;
    error_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 ? 0 : errno;
  }
  Attempt(Attempt&& other) noexcept : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  ~Attempt() {
    if (fd_ >= 0) close(fd_);
  }

  pollfd Waiting() const { return {pending() ? fd_ : -1, POLLOUT, 0}; }
  void Finish() {
    socklen_t length = sizeof error_;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error_, &length);
  }

  // Neither taken nor refused yet.
  bool pending() const { return error_ == EINPROGRESS; }
  bool refused() const {
    return error_ == ECONNREFUSED || error_ == EHOSTUNREACH || error_ == ENETUNREACH;
  }

 private:
  int fd_ = -1;
  int error_ = 0;
};

std::vector<pollfd> Waiting(const std::vector<Attempt>& attempts) {
  std::vector<pollfd> waiting;
  waiting.reserve(attempts.size());
  for (const Attempt& attempt : attempts) waiting.push_back(attempt.Waiting());
  return waiting;
}

// Finishes those that come to an end before `end`; false when the time is over.
bool Progress(std::vector<Attempt>& attempts, Clock::time_point end) {
  std::vector<pollfd> waiting = Waiting(attempts);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  if (left <= 0) return false;
  if (poll(waiting.data(), waiting.size(), static_cast<int>(left)) < 0) return errno == EINTR;
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (waiting[i].revents != 0) attempts[i].Finish();
  }
  return true;
}

}  // namespace

void Confirmer::Ask(const std::string& ip, int port, Silence silence, std::function<void()> dead) {
  std::lock_guard lock(mutex_);
  if (questions_.size() >= kMaxQuestions) return;
  questions_.push_back({ip, port, silence, std::move(dead)});
  changed_.notify_one();
}

void Confirmer::Answer(const std::vector<Question>& questions) {
  std::vector<Attempt> attempts;
  attempts.reserve(questions.size());
  for (const Question& question : questions) attempts.emplace_back(question.ip, question.port);
  std::vector<bool> told(questions.size());
  const auto tell_refused = [&] {
    for (size_t i = 0; i < questions.size(); ++i) {
      if (!attempts[i].refused() || told[i]) continue;
      told[i] = true;
      questions[i].dead();
    }
  };
  const auto end = Clock::now() + kPatience;
  bool time_is_left = true;
  while (time_is_left && std::ranges::any_of(attempts, &Attempt::pending)) {
    tell_refused();
    time_is_left = Progress(attempts, end);
  }
  tell_refused();
  for (size_t i = 0; i < questions.size(); ++i) {
    if (attempts[i].pending() && questions[i].silence == Silence::kDead) questions[i].dead();
  }
}

void Confirmer::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !questions_.empty(); })) {
    std::vector<Question> now;
    while (!questions_.empty() && now.size() < kMaxAtOnce) {
      now.push_back(std::move(questions_.front()));
      questions_.pop_front();
    }
    lock.unlock();
    Answer(now);
    lock.lock();
  }
}

}  // namespace krypton::kube
