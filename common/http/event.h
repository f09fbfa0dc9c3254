// Event: what a coroutine waits for and another piece of code of the same worker sets. It belongs
// to one worker; from another thread post to the worker first (keep the Event alive by a shared_ptr
// in the posted function). One waiter at a time. A set event stays set until a wait consumes it.
#pragma once

#include <chrono>
#include <coroutine>

#include "common/http/task.h"
#include "common/http/timer_wheel.h"

namespace krypton::http {

class Worker;

enum class WaitEnd { kSet, kTimedOut };

class Event {
 public:
  explicit Event(Worker& worker) : worker_(worker), timer_(*this) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  // Requires: nobody waits.
  ~Event();

  // Wakes the waiter soon (never from inside this call), or makes the next wait return at once.
  void Set();
  // Ends a wait as if its deadline had passed.
  void Interrupt() { Wake(); }
  bool is_set() const { return set_; }
  void Reset() { set_ = false; }

  // Waits until Set or `deadline`, and consumes the former. The deadline is checked each 10 ms.
  Task<WaitEnd> Wait(TimePoint deadline = kNever);

 private:
  struct Timer final : TimerNode {
    explicit Timer(Event& owner) : event(owner) {}
    void OnTimer() override;
    Event& event;
  };
  struct Awaiter {
    Event& event;
    bool await_ready() const { return event.set_; }
    void await_suspend(std::coroutine_handle<> handle) { event.waiter_ = handle; }
    void await_resume() const {}
  };
  void Wake();

  Worker& worker_;
  Timer timer_;
  std::coroutine_handle<> waiter_ = nullptr;
  bool set_ = false;
};

}  // namespace krypton::http
