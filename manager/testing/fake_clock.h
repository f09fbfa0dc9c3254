// A clock that tests move by hand. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>

#include "manager/clock.h"

namespace krypton::manager {

class FakeClock {
 public:
  void Advance(std::chrono::nanoseconds duration) { passed_ += duration.count(); }

  std::chrono::steady_clock::time_point Now() const {
    return std::chrono::steady_clock::time_point(std::chrono::hours(1000)) +
           std::chrono::nanoseconds(passed_.load());
  }
  std::chrono::system_clock::time_point Wall() const {
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'790'000'000)) +
           std::chrono::duration_cast<std::chrono::system_clock::duration>(
               std::chrono::nanoseconds(passed_.load()));
  }
  // Borrows this.
  Clock clock() const {
    return {[this] { return Now(); }, [this] { return Wall(); }};
  }

 private:
  std::atomic<int64_t> passed_{0};
};

}  // namespace krypton::manager
