// krypton echo: an agent that answers each request with what it received. It is what a first
// manifest and `helm test` run: no image of one's own is needed to see a mesh work.
#pragma once

#include <string>

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct EchoOptions {
  // HOST:PORT; empty: all interfaces, and the port that $PORT names, else 8080.
  std::string bind_address;
};

void AddEcho(config::Flags& flags, EchoOptions* options);
// Serves until SIGTERM or SIGINT, and finishes the calls in flight.
int RunEcho(const EchoOptions& options);

}  // namespace krypton::cli
