// One place for the latest exemplar of a histogram's bucket: an observation and the trace in which
// it was made. Offer takes no lock and never waits: where two threads offer at once, one of the two
// exemplars is dropped, which costs nothing, since another one follows. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "common/metrics/trace.h"

namespace krypton::metrics {

struct Exemplar {
  TraceId trace;
  double value = 0;
  double timestamp = 0;  // Seconds since the epoch.
};

class ExemplarSlot {
 public:
  void Offer(const Exemplar& exemplar);
  // nullopt: none was offered, or one is just being written.
  std::optional<Exemplar> Read() const;

 private:
  // Odd while a thread writes. What it guards is atomic too, so that a torn read is no race: it is
  // seen by the sequence and thrown away.
  std::atomic<uint32_t> sequence_{0};
  std::atomic<uint64_t> high_{0};
  std::atomic<uint64_t> low_{0};
  std::atomic<double> value_{0};
  std::atomic<double> timestamp_{0};
};

}  // namespace krypton::metrics
