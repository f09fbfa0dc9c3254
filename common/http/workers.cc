#include "common/http/workers.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/http/buffer.h"
#include "common/http/event.h"

namespace krypton::http {
namespace {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;

// Below this a wait is worth a timer of its own.
constexpr milliseconds kPreciseSleep{50};

thread_local Worker* current_worker = nullptr;

int AvailableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// Waits for a timer; the wait cannot fail, since nothing cancels it.
struct TimerAwaiter {
  Timer& timer;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    timer.async_wait([handle](boost::system::error_code) { internal::RunFrom(handle); });
  }
  void await_resume() const {}
};

}  // namespace

// UNSAFE_IO: sockets and timers are used by their own thread only, so the reactor takes no lock for
// them; the scheduler keeps its lock, and posts from other threads stay safe.
struct Worker::Loop {
  Loop()
      : context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
        tick(context),
        work(context.get_executor()) {}

  BufferPool buffers;
  boost::asio::io_context context;
  Timer tick;
  boost::asio::executor_work_guard<Executor> work;
  uint64_t scheduled_tick = TimerWheel::kNoTick;
  bool draining = false;  // Workers::Stop waits for the last spawned task.
};

Worker::Worker(int index, int count)
    : index_(index), count_(count), loop_(std::make_unique<Loop>()), wheel_(Clock::now()) {}

Worker::~Worker() = default;

Worker* Worker::Current() { return current_worker; }

void Worker::Post(std::function<void()> function) {
  boost::asio::post(loop_->context, std::move(function));
}

TimePoint Worker::Now() const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);  // The clock of steady_clock, in coarse steps.
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

void Worker::Arm(TimerNode& node, TimePoint deadline) {
  if (wheel_.Arm(node, deadline) < loop_->scheduled_tick) ScheduleTick();
}

void Worker::ScheduleTick() {
  const uint64_t next = wheel_.NextTick();
  if (next == TimerWheel::kNoTick || next >= loop_->scheduled_tick) return;
  loop_->scheduled_tick = next;
  loop_->tick.expires_at(wheel_.TimeOf(next));
  loop_->tick.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;
    loop_->scheduled_tick = TimerWheel::kNoTick;
    wheel_.Advance(Clock::now());
    ScheduleTick();
  });
}

// The root of a spawned task: starts at once and frees itself.
struct Worker::Root {
  struct promise_type {
    static void* operator new(std::size_t size) { return internal::AllocateFrame(size); }
    static void operator delete(void* frame, std::size_t size) { internal::FreeFrame(frame, size); }
    Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    // Tasks deal with their errors; what still arrives here is a defect that must not be hidden.
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;

  static Root Run(Worker& worker, Task<void> task) {
    co_await task;
    task = Task<void>();  // What it owned ends before it counts as ended.
    worker.OnTaskEnd();
  }
};

void Worker::OnTaskEnd() {
  if (--spawned_ == 0 && loop_->draining) loop_->context.stop();
}

void Worker::Spawn(Task<void> task) {
  ++spawned_;
  ResumeSoon(Root::Run(*this, std::move(task)).handle);
}

void Worker::ResumeSoon(std::coroutine_handle<> handle) {
  boost::asio::post(loop_->context, [handle] { internal::RunFrom(handle); });
}

Task<void> Worker::Sleep(milliseconds duration) {
  if (duration >= kPreciseSleep) {
    Event never(*this);
    co_await never.Wait(Clock::now() + duration);
    co_return;
  }
  Timer timer(loop_->context, duration);
  co_await TimerAwaiter{timer};
}

boost::asio::io_context& Worker::context() { return loop_->context; }

BufferPool& Worker::buffers() { return loop_->buffers; }

void Worker::Run() {
  current_worker = this;
  loop_->context.run();
  current_worker = nullptr;
}

struct Workers::Thread {
  explicit Thread(int index, int count) : worker(index, count) {}
  Worker worker;
  std::thread thread;
};

Workers::Workers(int count, std::string thread_name) : thread_name_(std::move(thread_name)) {
  if (count <= 0) count = AvailableCpus();
  for (int i = 0; i < count; ++i) threads_.push_back(std::make_unique<Thread>(i, count));
}

Workers::~Workers() { Stop(); }

int Workers::size() const { return static_cast<int>(threads_.size()); }

Worker& Workers::operator[](int index) { return threads_[static_cast<size_t>(index)]->worker; }

void Workers::Start() {
  if (started_) return;
  started_ = true;
  for (auto& thread : threads_) {
    thread->thread = std::thread([worker = &thread->worker] { worker->Run(); });
    const std::string name = thread_name_ + "-" + std::to_string(thread->worker.index());
    pthread_setname_np(thread->thread.native_handle(), name.substr(0, 15).c_str());
  }
}

void Workers::Stop() {
  if (!started_ || stopped_) return;
  stopped_ = true;
  for (auto& thread : threads_) {
    Worker& worker = thread->worker;
    worker.Post([&worker] {
      worker.loop_->draining = true;
      if (worker.spawned_ == 0) worker.loop_->context.stop();
    });
  }
  for (auto& thread : threads_) thread->thread.join();
}

void Workers::ForEach(const std::function<void(Worker&)>& function) {
  std::mutex mutex;
  std::condition_variable changed;
  int left = size();
  for (auto& thread : threads_) {
    Worker& worker = thread->worker;
    worker.Post([&] {
      function(worker);
      const std::lock_guard lock(mutex);
      if (--left == 0) changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return left == 0; });
}

}  // namespace krypton::http
