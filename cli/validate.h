// krypton validate FILE...: what is wrong with manifests, by file, document, line and field. Asks
// no server.
#pragma once

#include <string>
#include <vector>

namespace krypton::config {
class Flags;
}

namespace krypton::cli {

struct ValidateOptions {
  std::vector<std::string> files;  // Files, folders (their *.yaml, *.yml, *.json), or - for stdin.
  bool cluster = false;            // By the rules of a cluster instead of one machine's.
};

void AddValidate(config::Flags& flags, ValidateOptions* options);
// 1 when any is wrong or cannot be read.
int RunValidate(const ValidateOptions& options);

}  // namespace krypton::cli
