// Limiter is the arbiter in front of one replica: it hands out at most `concurrency` slots, parks
// at most as many requests as there are slots in the order in which they came, counts streams
// apart, and knows the mean of each number over time.
//
// A slot that is given back goes straight to the first parked request, so that nobody overtakes it.
// All functions may be called by any thread; none blocks. `Slot` and `Parked` must not outlive the
// Limiter.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "proxy/time_mean.h"

namespace krypton::proxy {

// Why a request gets no slot.
enum class Refusal {
  kOverCapacity,  // All slots are taken, and there is no room to wait.
  kShuttingDown,  // The replica drains.
};

class Limiter {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  struct Settings {
    int concurrency = 8;    // design.md §4, Agent.
    int max_streams = 256;  // Likewise.
  };

  // All that is counted, at one moment.
  struct Load {
    int in_flight = 0;
    int parked = 0;
    int streams = 0;
    std::uint64_t requests_total = 0;  // That got a slot, since the start.
  };

  // The means since the last call of TakeMeans.
  struct Means {
    double in_flight = 0;
    double parked = 0;
    std::chrono::nanoseconds window{0};
  };

  // The right to have one request in flight, or one stream open, at the agent. Gives it back when
  // it is destroyed.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept { *this = std::move(other); }
    Slot& operator=(Slot&& other) noexcept;
    ~Slot() { Release(); }

    explicit operator bool() const { return limiter_ != nullptr; }
    void Release();
    // The request turned out to be a stream: the slot is free for another request. False, and no
    // change, when there are too many streams. True at once for what is a stream already.
    bool BecomeStream();

   private:
    friend class Limiter;
    explicit Slot(Limiter* limiter) : limiter_(limiter) {}

    Limiter* limiter_ = nullptr;
    bool stream_ = false;
  };

  // The place of one request in the queue. Leaves the queue, or gives an unused slot back, when it
  // is destroyed.
  class Parked {
   public:
    explicit Parked(Limiter& limiter, std::function<void()> wake)
        : limiter_(limiter), wake_(std::move(wake)) {}
    ~Parked();
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;

    // Nothing while it waits; the slot, once; or why there will be none.
    struct Outcome {
      Slot slot;
      std::optional<Refusal> refusal;
      explicit operator bool() const { return slot || refusal.has_value(); }
    };
    Outcome Take();

   private:
    friend class Limiter;

    Limiter& limiter_;
    // Guarded by the Limiter's mutex.
    std::function<void()> wake_;
    std::optional<std::list<Parked*>::iterator> place_;
    bool granted_ = false;
    std::optional<Refusal> refusal_;
  };

  explicit Limiter(Settings settings, Clock clock = &std::chrono::steady_clock::now);

  // A slot, or the reason why there is none now.
  std::pair<Slot, std::optional<Refusal>> TryAcquire();

  // Requires: TryAcquire has just refused for kOverCapacity. Null when all places are taken. `wake`
  // runs once, on any thread, when Take has an outcome; it may run after the place was destroyed,
  // so it must own what it touches.
  std::unique_ptr<Parked> Park(std::function<void()> wake);

  // From now on every request is refused, those that are parked too.
  void Close();
  // Runs `idle` once, on any thread, as soon as nothing is in flight; at once if nothing is now.
  void WhenIdle(std::function<void()> idle);

  // Room for one more stream.
  bool HasRoomForStream() const;
  Load load() const;
  Means TakeMeans();
  const Settings& settings() const { return settings_; }

 private:
  struct Wakeups;

  bool TakeStream();
  void GiveBack(bool stream);
  void Leave(Parked& parked);
  std::function<void()> Grant(Parked& parked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Wakeups FreeSlot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Settings settings_;
  const Clock clock_;

  mutable std::mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t requests_total_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Parked*> parked_ ABSL_GUARDED_BY(mutex_);
  TimeMean in_flight_mean_ ABSL_GUARDED_BY(mutex_);
  TimeMean parked_mean_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point window_start_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> when_idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::proxy
