// Reading files, and the descriptors of them. Errors name the path. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace krypton::config {

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

// A regular file of at most `max_bytes`; never blocks: a pipe or a device is refused as
// FAILED_PRECONDITION.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);
}  // namespace krypton::config
