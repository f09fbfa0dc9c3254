// The few things that the local platform does with files. Errors name the path. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/file.h"

namespace krypton::platform {

using config::ErrnoStatus;
using config::ReadFile;
using config::UniqueFd;

// Whole or not at all, mode 0600.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);
// Makes it and what is above it, mode 0700, and checks that files can be made in it.
absl::Status EnsureWritableFolder(const std::string& path);
// Names, sorted; without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);
// The folder and what is in it. Missing is fine.
void RemoveFolder(const std::string& path);

}  // namespace krypton::platform
