// krypton up DIR...: the whole mesh on this machine, followed live until Ctrl-C.
#pragma once

#include <string>
#include <vector>

#include "common/rpc/tls.h"

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct UpOptions {
  std::vector<std::string> manifests;
  std::string host = "127.0.0.1";
  int port_base = -1;
  std::string ready_file;
  std::string state_dir;
  std::string log_level = "info";
  std::string log_format = "text";
  bool plain = false;
  rpc::TlsSettings tls;  // Of the components, and of this program as their client.
};

void AddUp(config::Flags& flags, UpOptions* options);
// Call it on the main thread, before any other runs.
int RunUp(UpOptions options);

}  // namespace krypton::cli
