// Threads that exist only while there is work: one more for each job that finds none idle, up to a
// bound, and each ends after some idle seconds. An ops server of which nobody asks anything has
// none. Enqueue from any thread; Shutdown, which the destructor calls, runs what is queued and
// joins.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "absl/base/thread_annotations.h"

namespace krypton::ops {

class ThreadPool {
 public:
  // Requires: max_threads > 0.
  explicit ThreadPool(int max_threads, std::chrono::milliseconds idle = std::chrono::seconds(10));
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Jobs wait in order when all threads are busy. Whoever calls bounds how many there can be.
  void Enqueue(std::function<void()> job);
  void Shutdown();

  int threads() const;

 private:
  void Run(std::list<std::thread>::iterator self);

  const int max_threads_;
  const std::chrono::milliseconds idle_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable ended_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  std::list<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  // Threads that have ended but are not joined.
  std::list<std::thread> over_ ABSL_GUARDED_BY(mutex_);
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace krypton::ops
