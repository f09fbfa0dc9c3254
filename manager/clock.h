// The two clocks of the manager: one that only goes forward, by which everything waits and expires,
// and the one on the wall, which is only written into messages. A value; tests give their own.
#pragma once

#include <chrono>
#include <functional>

namespace krypton::manager {

struct Clock {
  std::function<std::chrono::steady_clock::time_point()> now = [] {
    return std::chrono::steady_clock::now();
  };
  std::function<std::chrono::system_clock::time_point()> wall = [] {
    return std::chrono::system_clock::now();
  };
};

}  // namespace krypton::manager
