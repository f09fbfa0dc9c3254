#include "manager/ticker.h"

#include <algorithm>
#include <utility>

namespace krypton::manager {

Ticker::Ticker(std::chrono::milliseconds interval, std::function<void()> tick)
    : thread_([this, interval, tick = std::move(tick)] { Run(interval, tick); }) {}

Ticker::~Ticker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void Ticker::Run(std::chrono::milliseconds interval, const std::function<void()>& tick) {
  std::unique_lock lock(mutex_);
  auto next = std::chrono::steady_clock::now() + interval;
  while (!stopped_.wait_until(lock, next, [this] { return stopping_; })) {
    lock.unlock();
    tick();
    lock.lock();
    next = std::max(next + interval, std::chrono::steady_clock::now());
  }
}

}  // namespace krypton::manager
