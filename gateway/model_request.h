// The first step of a request to a model: reads as much of its body as says which model it names.
// What was read is held, and goes to the replica with the rest, which is left unread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/http/exchange.h"

namespace krypton::gateway {

struct ModelName {
  std::string model;
  // Set: there is none, answer this.
  std::optional<http::Error> error;
};

// What all requests together may hold of their bodies, beyond the 64 KiB that each may. Any thread.
class ScanBudget {
 public:
  explicit ScanBudget(size_t bytes) : left_(static_cast<int64_t>(bytes)) {}

  // One request's part of it; of one thread.
  class Lease {
   public:
    explicit Lease(ScanBudget& budget) : budget_(budget) {}
    ~Lease() { budget_.left_ += taken_; }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    // False: so much more is not there.
    bool Take(size_t bytes);

   private:
    ScanBudget& budget_;
    int64_t taken_ = 0;
  };

 private:
  std::atomic<int64_t> left_;
};

// Reads at most `scan_bytes` of the body (and what came with them). A body of up to 64 KiB whose
// length is known is read and checked as a whole: it would be held anyway, and so a client that
// sends slowly takes no slot.
// `lease` lives as long as the exchange holds what was read.
http::Task<ModelName> ReadModelName(http::Exchange& exchange, size_t scan_bytes,
                                    ScanBudget::Lease& lease);

}  // namespace krypton::gateway
