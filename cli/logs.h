// krypton logs NAMESPACE/NAME: what an agent's or a model's replicas print.
#pragma once

#include <string>

#include "cli/addresses.h"
#include "common/rpc/tls.h"

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct LogsOptions {
  Addresses addresses;
  rpc::TlsSettings tls;
  std::string target;
  bool follow = false;
  int tail = 100;
  std::string instance;
  bool prefix = false;  // Each line begins with its replica.
};

void AddLogs(config::Flags& flags, LogsOptions* options);
int RunLogs(const LogsOptions& options);

}  // namespace krypton::cli
