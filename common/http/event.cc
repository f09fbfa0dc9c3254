#include "common/http/event.h"

#include "common/http/workers.h"

namespace krypton::http {

Event::~Event() = default;

void Event::Set() {
  set_ = true;
  Wake();
}

void Event::Wake() {
  if (!waiter_) return;
  worker_.wheel().Disarm(timer_);
  worker_.ResumeSoon(std::exchange(waiter_, nullptr));
}

void Event::Timer::OnTimer() { event.Wake(); }

Task<WaitEnd> Event::Wait(TimePoint deadline) {
  if (!set_) {
    worker_.Arm(timer_, deadline);
    co_await Awaiter{*this};
  }
  co_return std::exchange(set_, false) ? WaitEnd::kSet : WaitEnd::kTimedOut;
}

}  // namespace krypton::http
