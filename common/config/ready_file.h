// The file of --ready-file: tells scripts, tests and `krypton up` where a process listens, once all
// its listeners are bound.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace krypton::config {

// Writes {"pid":<own>,"http":"127.0.0.1:8080",...} to `path`, whole or not at all (a temporary file
// beside it, then rename). `addresses` are pairs such as {"http", "127.0.0.1:8080"}, in the order
// in which they shall stand; pairs with an empty address are left out. An empty `path` does
// nothing.
absl::Status WriteReadyFile(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& addresses);

// Writes `content` to `path`, whole or not at all, readable by all.
absl::Status WriteFileAtomically(const std::string& path, const std::string& content);

}  // namespace krypton::config
