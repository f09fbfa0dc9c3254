// TimerWheel: all deadlines of one worker, behind one timer of the kernel. Arming, moving and
// disarming cost a few stores and no system call; the resolution is 10 ms (a deadline fires at most
// two ticks late, never early). Belongs to its worker: no other thread may touch it or its nodes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace krypton::http {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;

inline constexpr TimePoint kNever = TimePoint::max();
inline constexpr milliseconds kTimerTick{10};

// Something with a deadline; derive, and embed it in what it guards. Leaves the wheel when
// destroyed.
class TimerNode {
 public:
  TimerNode() = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  virtual ~TimerNode() { Unlink(); }

  // Called once when the deadline has passed; the node may be armed again or destroyed in it.
  virtual void OnTimer() = 0;

  bool armed() const { return deadline_tick_ != 0; }

 private:
  friend class TimerWheel;
  void Unlink();

  TimerNode* next_ = nullptr;
  TimerNode** link_ = nullptr;  // What points at this node, or null outside a slot.
  uint64_t deadline_tick_ = 0;  // 0: disarmed. May be later than the slot's: then it moves on.
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start) : start_(start) {}
  ~TimerWheel();

  // (Re)arms `node`; kNever disarms. A past deadline fires with the next tick.
  void Arm(TimerNode& node, TimePoint deadline);
  void Disarm(TimerNode& node) { node.deadline_tick_ = 0; }

  // Fires what is due at `now`.
  void Advance(TimePoint now);
  // When Advance should run next; kNever while nothing is linked.
  TimePoint NextWake() const;

 private:
  static constexpr int kSlots = 256;  // Of each level: 10 ms (2.5 s) and 2.56 s (11 minutes).

  uint64_t TickOf(TimePoint time) const;
  void Link(TimerNode& node, uint64_t tick);
  void FireSlot(TimerNode*& slot);

  TimePoint start_;
  uint64_t current_ = 0;  // Every tick up to this one was handled.
  std::array<TimerNode*, kSlots> near_{};
  std::array<TimerNode*, kSlots> far_{};
  int near_count_ = 0;
};

}  // namespace krypton::http
