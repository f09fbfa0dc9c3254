// Where the components of one mesh listen: chosen before any of them starts, and kept when one is
// started again, so that a restart is invisible to the others.
#pragma once

#include <array>
#include <string>

#include "absl/status/statusor.h"

namespace krypton::cli {

struct ComponentAddresses {
  std::string name;  // "control_plane", as in the ready file.
  std::string http;  // Empty for the manager.
  std::string grpc;
  std::string ops;
};

struct MeshAddresses {
  ComponentAddresses gateway;
  ComponentAddresses control_plane;
  ComponentAddresses manager;

  std::array<const ComponentAddresses*, 3> all() const {
    return {&gateway, &control_plane, &manager};
  }
};

// `port_base` below 0: the ports of the design, with the manager's ops at 8070; 0: free ones; else
// 12 ports from it on. Each is tried: a port that is taken is an error that says which, of what,
// and what to do.
absl::StatusOr<MeshAddresses> ChooseAddresses(const std::string& host, int port_base);

}  // namespace krypton::cli
