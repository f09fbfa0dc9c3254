// For tests: waits until other threads have made a condition true.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace krypton {

// False when it did not come true in time.
inline bool WaitFor(const std::function<bool()>& condition,
                    std::chrono::milliseconds patience = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace krypton
