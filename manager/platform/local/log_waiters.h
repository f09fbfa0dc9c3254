// Log streams that wait for lines: looked at by the loop ten times a second, as long as there are
// any. `Add` and what it returns may be called by any thread, also after the loop has stopped.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "manager/platform/local/loop.h"

namespace krypton::platform {

class LogWaiters : public std::enable_shared_from_this<LogWaiters> {
 public:
  explicit LogWaiters(Loop& loop) : loop_(loop) {}

  // Calls `ready` once, on the loop's thread, when `check` returns true. The returned function
  // cancels it, and waits for a call that runs (unless it is called from there).
  std::function<void()> Add(std::function<bool()> check, std::function<void()> ready);
  // The loop is about to end: everybody is called now, and nobody waits any more.
  void Close();

 private:
  struct Waiter {
    // Held during the calls; recursive, since `ready` may end its own stream.
    std::recursive_mutex mutex;
    std::atomic<bool> done = false;
    std::function<bool()> check;
    std::function<void()> ready;
  };

  void Look();

  Loop& loop_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Waiter>> waiters_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace krypton::platform
