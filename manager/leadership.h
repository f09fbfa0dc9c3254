// Who leads, as the platform said last. One object a manager: the Controller sets it, the services
// that talk to reporters and scalers read it. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace krypton::manager {

class Leadership {
 public:
  struct View {
    // This manager leads.
    bool leader = false;
    uint64_t term = 0;
    // Where the leader answers gRPC; empty: not known.
    std::string address;

    bool operator==(const View& other) const {
      return leader == other.leader && term == other.term && address == other.address;
    }
  };

  Leadership() = default;
  explicit Leadership(View view) : view_(std::move(view)) {}

  View Get() const {
    std::lock_guard lock(mutex_);
    return view_;
  }
  // False when it said the same before.
  bool Set(View view) {
    std::lock_guard lock(mutex_);
    if (view == view_) return false;
    view_ = std::move(view);
    return true;
  }

 private:
  mutable std::mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::manager
