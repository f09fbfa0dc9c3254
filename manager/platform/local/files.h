// The few things that the local platform does with files. Errors name the path. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace krypton::platform {

// A descriptor that is closed with its owner; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Reset();

 private:
  int fd_ = -1;
};

// "opening /x: No such file or directory", with the code that fits errno.
absl::Status ErrnoStatus(std::string_view doing, std::string_view path);

// A regular file of at most `max_bytes`; never blocks (no pipes, no devices).
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);
// Whole or not at all, mode 0600.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);
// Makes it and what is above it, mode 0700, and checks that files can be made in it.
absl::Status EnsureWritableFolder(const std::string& path);
// Names, sorted; without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);
// The folder and what is in it. Missing is fine.
void RemoveFolder(const std::string& path);

}  // namespace krypton::platform
