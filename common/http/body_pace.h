// BodyPace: how slowly the body of one request may come, where its handler has said so. A sender
// may keep its reader waiting for `patience`; bytes at `bytes_per_second` pay back what it has used
// up of that, never more. What the reader waits for elsewhere does not count. (Apache's
// mod_reqtimeout, body=20,MinRate=500, gives a second for so many bytes without a bound: a first
// megabyte buys half an hour.) Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/http/timer_wheel.h"

namespace krypton::http {

class BodyPace {
 public:
  using Duration = Clock::duration;

  // Once, before the body is read. `bytes_per_second` 0: as slowly as it likes.
  void Require(uint64_t bytes_per_second, Duration patience);

  // How long its reader waits for more, now that `received` bytes of it have come.
  Duration Patience(uint64_t received);
  // It has waited.
  void Use(Duration waited) { left_ -= waited; }

 private:
  uint64_t bytes_per_second_ = 0;
  Duration most_ = Duration::max();
  Duration left_ = Duration::max();
  uint64_t paid_for_ = 0;  // Of what was received.
};

}  // namespace krypton::http
