// The ports that agents listen on: below the kernel's ephemeral range, so that no connection of
// anybody takes one away in passing, and reserved by name over all managers of the machine, so that
// a sidecar never finds a stranger behind its agent's port. One thread.
#pragma once

#include <cstdint>
#include <random>

#include "absl/status/statusor.h"
#include "manager/platform/local/files.h"

namespace krypton::platform {

class PortPicker {
 public:
  struct Settings {
    // Below 32768, where Linux' ephemeral range begins; above what services use.
    int first = 20'000;
    int last = 31'999;
  };
  struct Port {
    int number = 0;
    // The port stays ours until every copy of this is closed: the supervisor holds one.
    UniqueFd reservation;
  };

  explicit PortPicker(Settings settings) : settings_(settings), random_(std::random_device{}()) {}
  PortPicker() : PortPicker(Settings()) {}

  // Free on all addresses at this moment. RESOURCE_EXHAUSTED when none is.
  absl::StatusOr<Port> Pick();

 private:
  const Settings settings_;
  std::minstd_rand random_;
};

}  // namespace krypton::platform
