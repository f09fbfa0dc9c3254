#include "manager/platform/local/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace krypton::platform {

Loop::Loop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Watch(wakeup_, [this] {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = read(wakeup_, &count, sizeof count);
    RunPosted();
  });
}

Loop::~Loop() {
  close(wakeup_);
  close(epoll_);
}

void Loop::Post(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(task));
    if (posted_.size() > 1) return;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t wrote = write(wakeup_, &one, sizeof one);
}

void Loop::Stop() {
  Post([this] { stopped_ = true; });
}

void Loop::RunPosted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) {
    if (!stopped_) task();
  }
}

void Loop::Watch(int fd, std::function<void()> on_readable) {
  watched_[fd] = std::make_shared<std::function<void()>>(std::move(on_readable));
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0 && errno == EEXIST) {
    epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
}

void Loop::Unwatch(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

Loop::TimerId Loop::After(Clock::duration delay, std::function<void()> task) {
  const TimerId timer = ++last_timer_;
  const Clock::time_point deadline = Clock::now() + delay;
  deadlines_[timer] = deadline;
  timers_[{deadline, timer}] = std::move(task);
  return timer;
}

void Loop::Cancel(TimerId timer) {
  const auto found = deadlines_.find(timer);
  if (found == deadlines_.end()) return;
  timers_.erase({found->second, timer});
  deadlines_.erase(found);
}

int Loop::TimeoutMs() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first.first - Clock::now();
  // Up, so that the deadline has passed when epoll_wait returns.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

void Loop::RunTimers() {
  // Not those that the callbacks add.
  const Clock::time_point now = Clock::now();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first.first <= now) {
    const auto first = timers_.begin();
    const std::function<void()> task = std::move(first->second);
    deadlines_.erase(first->first.second);
    timers_.erase(first);
    task();
  }
}

void Loop::Run() {
  std::array<epoll_event, 64> events;
  while (!stopped_) {
    const int count = epoll_wait(epoll_, events.data(), events.size(), TimeoutMs());
    for (int i = 0; i < count && !stopped_; ++i) {
      // A callback before this one may have unwatched it.
      const auto found = watched_.find(events[i].data.fd);
      if (found == watched_.end()) continue;
      const std::shared_ptr<std::function<void()>> callback = found->second;
      (*callback)();
    }
    RunTimers();
  }
}

}  // namespace krypton::platform
