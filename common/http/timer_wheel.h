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
  uint64_t deadline_tick_ = 0;  // 0: disarmed. May be later than slot_tick_: then it moves on.
  uint64_t slot_tick_ = 0;      // When its slot is looked at.
};

class TimerWheel {
 public:
  static constexpr uint64_t kNoTick = UINT64_MAX;

  explicit TimerWheel(TimePoint start) : start_(start) {}
  ~TimerWheel();

  // (Re)arms `node`; kNever disarms. A past deadline fires with the next tick. Returns the tick at
  // which the wheel must be advanced for it, or kNoTick when that is no earlier than before.
  uint64_t Arm(TimerNode& node, TimePoint deadline);
  void Disarm(TimerNode& node) { node.deadline_tick_ = 0; }

  // Fires what is due at `now`.
  void Advance(TimePoint now);
  // The tick at which Advance should run next; kNoTick while nothing is linked.
  uint64_t NextTick() const;
  TimePoint TimeOf(uint64_t tick) const { return start_ + kTimerTick * static_cast<int64_t>(tick); }

 private:
  static constexpr uint64_t kSlots = 256;  // Of each level: 10 ms (2.5 s) and 2.56 s (11 minutes).
  using Level = std::array<TimerNode*, kSlots>;

  void Link(TimerNode& node, uint64_t tick);
  void TakeSlot(TimerNode*& slot);
  void Fire(TimerNode*& slot);
  void Cascade(TimerNode*& slot);

  TimePoint start_;
  uint64_t current_ = 0;  // Every tick up to this one was handled.
  Level near_{};
  Level far_{};
  TimerNode* walked_ = nullptr;
};

}  // namespace krypton::http
