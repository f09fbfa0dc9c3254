// For tests: what a process does when it has no file descriptors left.
#pragma once

#include <sys/resource.h>

namespace krypton {

// UBSan looks at memory through a pipe (its `vptr` check), and without one takes each object for a
// wrong one. Tests with a FileLimit are skipped then.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kFilesMayRunOut = false;
#else
inline constexpr bool kFilesMayRunOut = true;
#endif

// New descriptors are below `limit`, for as long as this lives.
class FileLimit {
 public:
  explicit FileLimit(int limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit now = {static_cast<rlim_t>(limit), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~FileLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_;
};

}  // namespace krypton
