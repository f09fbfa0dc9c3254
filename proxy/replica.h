// Replica is what this sidecar knows of the replica that it stands in front of: whether the agent
// accepts connections, whether it drains, and when it was last of use. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "krypton/v1/registry.pb.h"

namespace krypton::proxy {

class Replica {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Both return whether that was news.
  bool SetReady(bool ready) { return ready_.exchange(ready) != ready; }
  bool StartDraining() { return !draining_.exchange(true); }

  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  v1::EndpointState state() const {
    if (draining()) return v1::ENDPOINT_STATE_DRAINING;
    return ready() ? v1::ENDPOINT_STATE_READY : v1::ENDPOINT_STATE_STARTING;
  }

  // A request began or ended, or bytes passed on a stream. Cheap enough for each of these.
  void Touch(Time now = std::chrono::system_clock::now()) {
    last_activity_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // Nothing: never.
  std::optional<Time> last_activity() const {
    const auto ticks = last_activity_.load(std::memory_order_relaxed);
    if (ticks == 0) return std::nullopt;
    return Time(Time::duration(ticks));
  }

 private:
  std::atomic<bool> ready_ = false;
  std::atomic<bool> draining_ = false;
  std::atomic<Time::rep> last_activity_ = 0;
};

}  // namespace krypton::proxy
