// Worker and Workers: the threads that carry traffic. Each worker is one thread with its own event
// loop, timer wheel and buffers, and shares nothing with the others; what crosses workers is
// posted. Workers owns the threads: created stopped, started once, joined by Stop or the
// destructor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/http/task.h"
#include "common/http/timer_wheel.h"

namespace boost::asio {
class io_context;
}

namespace krypton::http {

class BufferPool;

class Worker {
 public:
  Worker(int index, int count);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The worker that runs this thread, or null.
  static Worker* Current();

  int index() const { return index_; }
  // How many workers there are: bounds that a flag sets for the process are divided by it.
  int count() const { return count_; }

  // Runs `function` on this worker, soon. Any thread; a post from another one wakes the loop.
  void Post(std::function<void()> function);

  // --- Only on this worker's thread from here on. ---

  // The time of the loop, at most 4 ms old and cheap (clock_gettime of the coarse clock).
  TimePoint Now() const;
  TimerWheel& wheel() { return wheel_; }
  // Arms a node of the wheel and sees to it that the loop wakes in time.
  void Arm(TimerNode& node, TimePoint deadline);

  // Starts a task that nobody awaits. The worker counts it, and Workers::Stop waits for its end. An
  // exception that leaves it ends the process: tasks deal with their errors.
  void Spawn(Task<void> task);
  int64_t spawned() const { return spawned_; }

  // Resumes `handle` from the loop, never from inside this call.
  void ResumeSoon(std::coroutine_handle<> handle);

  // Waits at least `duration`; exact to a millisecond where it is below 50 ms (it has a timer of
  // its own then), to two ticks of the wheel otherwise.
  Task<void> Sleep(milliseconds duration);

  boost::asio::io_context& context();
  BufferPool& buffers();

 private:
  friend class Workers;
  struct Loop;
  struct Root;

  void Run();
  void ScheduleTick();
  void OnTaskEnd();

  const int index_;
  const int count_;
  int64_t spawned_ = 0;
  std::unique_ptr<Loop> loop_;
  TimerWheel wheel_;
};

class Workers {
 public:
  // `count` 0 means one a CPU that this process may use.
  explicit Workers(int count, std::string thread_name = "http");
  ~Workers();

  void Start();
  // Lets every worker run until its spawned tasks have ended, then joins. Whoever spawned them has
  // made them end before (Server::Drain, Server::Stop). Idempotent; not from a worker.
  void Stop();

  bool running() const { return started_ && !stopped_; }
  int size() const;
  Worker& operator[](int index);
  // Runs `function(worker)` once on each worker and waits for all. Not from a worker.
  void ForEach(const std::function<void(Worker&)>& function);

 private:
  struct Thread;

  std::string thread_name_;
  std::vector<std::unique_ptr<Thread>> threads_;
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace krypton::http
