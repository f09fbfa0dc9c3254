// The first step of a request to a model: reads as much of its body as says which model it names.
// What was read is held, and goes to the replica with the rest, which is left unread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/http/exchange.h"

namespace krypton::gateway {

struct ModelName {
  std::string model;
  // Set: there is none, answer this.
  std::optional<http::Error> error;
};

// Reads at most `scan_bytes` of the body (and what came with them). A body of up to 64 KiB whose
// length is known is read and checked as a whole: it would be held anyway, and so a client that
// sends slowly takes no slot.
http::Task<ModelName> ReadModelName(http::Exchange& exchange, size_t scan_bytes);

}  // namespace krypton::gateway
