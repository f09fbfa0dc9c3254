// Waits for a condition that other threads bring about.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace krypton::proxy::testing {

// False when it does not come true within 10 s.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace krypton::proxy::testing
