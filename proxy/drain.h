// Drain takes the replica out of service in order: new requests are refused, the manager hears of
// it, and those in flight get until the timeout to finish. Both `/drain` and SIGTERM begin it; who
// begins second joins. Any thread. Borrows all that it is made of.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "common/ops/server.h"
#include "proxy/limiter.h"
#include "proxy/replica.h"

namespace krypton::proxy {

// Compares in a time that depends on the lengths only. False when `expected` is empty.
bool IsToken(std::string_view expected, std::string_view given);

class Drain {
 public:
  struct Settings {
    std::chrono::milliseconds timeout{25'000};  // A pod's 30 s of grace, and a margin.
    // Callers that have not heard yet are still answered, with shutting_down, for so long: else a
    // request could meet a connection that is just being closed.
    std::chrono::milliseconds linger{250};
    std::string token;  // Empty: /drain is closed to all.
  };

  // `announce` runs once, when the drain begins.
  Drain(Settings settings, Limiter& limiter, Replica& replica, std::function<void()> announce);

  void Begin();
  // Begins, then waits until nothing is in flight and callers had the time to hear of it, or the
  // timeout has passed since the beginning. True when nothing is in flight.
  bool Wait();

  // `/drain` of the ops port: waits as Wait does. 403 without the token; 429 when too many wait.
  ops::Response Handle(const ops::Request& request);

 private:
  const Settings settings_;
  Limiter& limiter_;
  Replica& replica_;
  const std::function<void()> announce_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::chrono::steady_clock::time_point> began_ ABSL_GUARDED_BY(mutex_);
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  int callers_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace krypton::proxy
