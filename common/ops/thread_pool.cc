#include "common/ops/thread_pool.h"

#include <utility>

namespace krypton::ops {

ThreadPool::ThreadPool(int max_threads, std::chrono::milliseconds idle)
    : max_threads_(max_threads), idle_(idle) {}

ThreadPool::~ThreadPool() { Shutdown(); }

void ThreadPool::Enqueue(std::function<void()> job) {
  std::list<std::thread> over;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    over.swap(over_);
    const bool all_taken = jobs_.size() > static_cast<size_t>(waiting_);
    if (all_taken && static_cast<int>(threads_.size()) < max_threads_) {
      const auto self = threads_.emplace(threads_.end());
      *self = std::thread([this, self] { Run(self); });
    }
    work_.notify_one();
  }
  for (std::thread& thread : over) thread.join();
}

void ThreadPool::Shutdown() {
  std::unique_lock lock(mutex_);
  shutdown_ = true;
  work_.notify_all();
  ended_.wait(lock, [this] { return threads_.empty(); });
  std::list<std::thread> over;
  over.swap(over_);
  lock.unlock();
  for (std::thread& thread : over) thread.join();
}

int ThreadPool::threads() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(threads_.size());
}

void ThreadPool::Run(std::list<std::thread>::iterator self) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    const bool woken = work_.wait_for(lock, idle_, [this] { return shutdown_ || !jobs_.empty(); });
    --waiting_;
    if (jobs_.empty() && (shutdown_ || !woken)) break;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
  over_.splice(over_.end(), threads_, self);
  ended_.notify_all();
}

}  // namespace krypton::ops
