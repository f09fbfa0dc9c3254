// How long to wait before the next attempt: exponential with jitter, 50 ms to 5 s unless told
// otherwise. Not thread-safe; one a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>

namespace krypton::rpc {

class Backoff {
 public:
  struct Settings {
    std::chrono::milliseconds min{50};
    std::chrono::milliseconds max{5000};
    double factor = 2;
  };

  Backoff() : Backoff(Settings{}) {}
  // `seed` 0: from the system.
  explicit Backoff(Settings settings, uint64_t seed = 0);

  // The wait before the next attempt: random between half of the present step and the whole; then
  // the step grows.
  std::chrono::milliseconds Next();
  // After a success.
  void Reset();

 private:
  const Settings settings_;
  std::minstd_rand random_;
  double step_ms_;
};

}  // namespace krypton::rpc
