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

// Whole or not at all, mode 0600; after a loss of power it may be empty. For what is worthless
// then.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

struct FileContent {
  std::string path;
  std::string content;
};
// The same for files of one folder that outlive a loss of power. Takes a disk's time (4 to 12 ms),
// for many files not much more than for one.
absl::Status WriteFilesDurably(const std::string& folder, const std::vector<FileContent>& files);
// Makes it and what is above it, mode 0700, and checks that files can be made in it.
absl::Status EnsureWritableFolder(const std::string& path);
// Names, sorted; without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);
// The folder and what is in it. Missing is fine.
void RemoveFolder(const std::string& path);

}  // namespace krypton::platform
