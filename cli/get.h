// krypton get agents|models|endpoints: tables, JSON or YAML, once or as they change.
#pragma once

#include "cli/addresses.h"
#include "common/rpc/tls.h"

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct GetOptions {
  Addresses addresses;
  rpc::TlsSettings tls;
  std::string what;
  std::string name;  // Only this one; NAME or NAMESPACE/NAME.
  std::string name_space;
  std::string output = "table";
  bool watch = false;
};

void AddGet(config::Flags& flags, GetOptions* options);
int RunGet(GetOptions options);

}  // namespace krypton::cli
