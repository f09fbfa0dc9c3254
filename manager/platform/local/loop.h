// The one thread of the local platform: an epoll loop with descriptors, timers and posted calls.
// `Post` and `Stop` may be called by any thread; everything else only by the loop's own thread, or
// before Run. Callbacks may watch, unwatch and cancel whatever they like, themselves included.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

namespace krypton::platform {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  // 0 is no timer.
  using TimerId = uint64_t;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Returns after Stop. What is still posted then is not called.
  void Run();
  void Stop();
  // Calls `task` on the loop's thread, in the order of posting.
  void Post(std::function<void()> task);

  // Calls `on_readable` whenever `fd` is readable or at its end. The caller unwatches before it
  // closes.
  void Watch(int fd, std::function<void()> on_readable);
  void Unwatch(int fd);

  TimerId After(Clock::duration delay, std::function<void()> task);
  void Cancel(TimerId timer);

 private:
  using Deadline = std::pair<Clock::time_point, TimerId>;

  int TimeoutMs() const;
  void RunPosted();
  void RunTimers();

  const int epoll_;
  const int wakeup_;
  bool stopped_ = false;
  TimerId last_timer_ = 0;
  std::unordered_map<int, std::shared_ptr<std::function<void()>>> watched_;
  std::map<Deadline, std::function<void()>> timers_;
  std::unordered_map<TimerId, Clock::time_point> deadlines_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::platform
