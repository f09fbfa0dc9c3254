// Which build this is; fixed when CMake configures.
#pragma once

#include <string_view>

namespace krypton::config {

// "0.1.0".
std::string_view Version();
// Abbreviated git commit, or "unknown" outside a repository.
std::string_view Commit();
// Day of the commit, "2026-11-24", or "unknown".
std::string_view CommitDate();

}  // namespace krypton::config
