#include "manager/platform/local/log_waiters.h"

#include <chrono>
#include <utility>

namespace krypton::platform {
namespace {

constexpr std::chrono::milliseconds kInterval(100);

}  // namespace

std::function<void()> LogWaiters::Add(std::function<bool()> check, std::function<void()> ready) {
  auto waiter = std::make_shared<Waiter>();
  waiter->check = std::move(check);
  waiter->ready = std::move(ready);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) {
      if (waiters_.empty()) loop_.Post([self = shared_from_this()] { self->Look(); });
      waiters_.push_back(waiter);
    }
  }
  return [waiter] {
    const std::lock_guard<std::recursive_mutex> lock(waiter->mutex);
    waiter->done = true;
  };
}

void LogWaiters::Look() {
  std::list<std::shared_ptr<Waiter>> waiters;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiters = waiters_;
  }
  for (const auto& waiter : waiters) {
    const std::lock_guard<std::recursive_mutex> lock(waiter->mutex);
    if (waiter->done || !waiter->check()) continue;
    waiter->done = true;
    waiter->ready();
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  waiters_.remove_if([](const auto& waiter) { return waiter->done.load(); });
  if (waiters_.empty() || closed_) return;
  loop_.After(kInterval, [self = shared_from_this()] { self->Look(); });
}

void LogWaiters::Close() {
  std::list<std::shared_ptr<Waiter>> waiters;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    waiters.swap(waiters_);
  }
  for (const auto& waiter : waiters) {
    const std::lock_guard<std::recursive_mutex> lock(waiter->mutex);
    if (waiter->done.exchange(true)) continue;
    waiter->ready();
  }
}

}  // namespace krypton::platform
