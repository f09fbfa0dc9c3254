#include "common/http/timer_wheel.h"

#include <algorithm>
#include <utility>

namespace krypton::http {
void TimerNode::Unlink() {
  if (!link_) return;
  *link_ = next_;
  if (next_) next_->link_ = link_;
  next_ = nullptr;
  link_ = nullptr;
}

TimerWheel::~TimerWheel() {
  for (Level* level : {&near_, &far_}) {
    for (TimerNode* slot : *level) {
      while (slot) {
        TimerNode* node = slot;
        slot = node->next_;
        node->next_ = nullptr;
        node->link_ = nullptr;
      }
    }
  }
}

uint64_t TimerWheel::Arm(TimerNode& node, TimePoint deadline) {
  if (deadline == kNever) {
    Disarm(node);
    return kNoTick;
  }
  uint64_t tick = current_ + 1;
  if (deadline > start_) {
    // One more than the tick that holds the deadline: never early.
    tick = std::max(tick, static_cast<uint64_t>((deadline - start_) / kTimerTick) + 1);
  }
  node.deadline_tick_ = tick;
  if (node.link_) {
    if (node.slot_tick_ <= tick) return kNoTick;
    node.Unlink();
  }
  Link(node, tick);
  return node.slot_tick_;
}

void TimerWheel::Link(TimerNode& node, uint64_t tick) {
  TimerNode** slot;
  if (tick - current_ < kSlots) {
    slot = &near_[tick % kSlots];
    node.slot_tick_ = tick;
  } else {
    const uint64_t group = std::min(tick / kSlots, current_ / kSlots + kSlots - 1);
    slot = &far_[group % kSlots];
    node.slot_tick_ = group * kSlots;
  }
  node.next_ = *slot;
  node.link_ = slot;
  if (node.next_) node.next_->link_ = &node.next_;
  *slot = &node;
}

// A slot's list stands on its own while it is walked: OnTimer may unlink any node, or arm it again.
void TimerWheel::TakeSlot(TimerNode*& slot) {
  walked_ = std::exchange(slot, nullptr);
  if (walked_) walked_->link_ = &walked_;
}

void TimerWheel::Fire(TimerNode*& slot) {
  TakeSlot(slot);
  while (walked_) {
    TimerNode& node = *walked_;
    node.Unlink();
    if (node.deadline_tick_ == 0) continue;
    if (node.deadline_tick_ > current_) {
      Link(node, node.deadline_tick_);
      continue;
    }
    node.deadline_tick_ = 0;
    node.OnTimer();
  }
}

void TimerWheel::Cascade(TimerNode*& slot) {
  TakeSlot(slot);
  while (walked_) {
    TimerNode& node = *walked_;
    node.Unlink();
    if (node.deadline_tick_ != 0) Link(node, std::max(node.deadline_tick_, current_));
  }
}

void TimerWheel::Advance(TimePoint now) {
  if (now < start_) return;
  const auto target = static_cast<uint64_t>((now - start_) / kTimerTick);
  while (current_ < target) {
    ++current_;
    if (current_ % kSlots == 0) Cascade(far_[current_ / kSlots % kSlots]);
    Fire(near_[current_ % kSlots]);
  }
}

uint64_t TimerWheel::NextTick() const {
  uint64_t next = kNoTick;
  for (uint64_t tick = current_ + 1; tick < current_ + kSlots; ++tick) {
    if (near_[tick % kSlots]) {
      next = tick;
      break;
    }
  }
  for (uint64_t group = current_ / kSlots + 1; group < current_ / kSlots + kSlots; ++group) {
    if (group * kSlots >= next) break;
    if (far_[group % kSlots]) return group * kSlots;
  }
  return next;
}

}  // namespace krypton::http
