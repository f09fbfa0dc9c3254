#include "common/metrics/exemplar.h"

namespace krypton::metrics {

void ExemplarSlot::Offer(const Exemplar& exemplar) {
  uint32_t sequence = sequence_.load(std::memory_order_relaxed);
  if (sequence % 2 != 0) return;
  if (!sequence_.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
    return;
  }
  // Released one by one: who reads one of them sees the odd sequence as well.
  high_.store(exemplar.trace.high, std::memory_order_release);
  low_.store(exemplar.trace.low, std::memory_order_release);
  value_.store(exemplar.value, std::memory_order_release);
  timestamp_.store(exemplar.timestamp, std::memory_order_release);
  sequence_.store(sequence + 2, std::memory_order_release);
}

std::optional<Exemplar> ExemplarSlot::Read() const {
  const uint32_t before = sequence_.load(std::memory_order_acquire);
  if (before == 0 || before % 2 != 0) return std::nullopt;
  Exemplar exemplar;
  exemplar.trace.high = high_.load(std::memory_order_acquire);
  exemplar.trace.low = low_.load(std::memory_order_acquire);
  exemplar.value = value_.load(std::memory_order_acquire);
  exemplar.timestamp = timestamp_.load(std::memory_order_acquire);
  if (sequence_.load(std::memory_order_relaxed) != before) return std::nullopt;
  return exemplar;
}

}  // namespace krypton::metrics
