// krypton invoke NAMESPACE/NAME: calls an agent, or a model, through the gateway's HTTP port and
// prints the answer as it arrives.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/addresses.h"

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct InvokeOptions {
  Addresses addresses;
  std::string target;
  std::string path;
  std::string method;  // Empty: POST with a body, GET without.
  std::string data;    // The body; @FILE reads a file, @- stdin.
  std::vector<std::string> headers;
  bool include = false;  // The answer's head too.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

void AddInvoke(config::Flags& flags, InvokeOptions* options);
// 0 for a status below 400, else 1; an error's body goes to stderr.
int RunInvoke(const InvokeOptions& options);

}  // namespace krypton::cli
