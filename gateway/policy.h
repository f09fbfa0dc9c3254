// What the gateway needs of an agent's spec for each call: an immutable value, made once a change.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/http/timer_wheel.h"
#include "common/resource/resource.h"

namespace krypton::gateway {

using http::milliseconds;

struct CallPolicy {
  milliseconds timeout{60'000};
  milliseconds startup_timeout{30'000};
  int max_streams = 256;
  // Sent as Host; empty: the client's (spec.hostHeader).
  std::string host;
  std::string invocation_path = "/";
  // Names a session besides `mcp-session-id`; empty: nothing does.
  std::string affinity_header;
  // Has an agent card.
  bool is_a2a = false;
  int64_t generation = 0;
};

// `default_startup_timeout` counts where the spec says none.
std::shared_ptr<const CallPolicy> PolicyOf(const resource::Resource& resource,
                                           milliseconds default_startup_timeout);

}  // namespace krypton::gateway
