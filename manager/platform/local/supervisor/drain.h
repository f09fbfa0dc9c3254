// GET /drain at the sidecar: it answers once nothing is in flight any more. Small enough to be
// written out, so that the supervisor needs nothing but libc. One thread.
#pragma once

namespace krypton::supervisor {

class Drain {
 public:
  enum class Result {
    kPending,
    // Nothing is in flight.
    kDone,
    // The sidecar could not be asked, or refused: end it by SIGTERM instead, which drains too.
    kFailed,
    // It has not even begun to listen: nothing can be in flight.
    kNotServing,
  };

  // Reads the ops address from the sidecar's ready file in the folder, connects, asks.
  Result Begin(int folder_fd, const char* token);
  // When `fd()` is readable.
  Result OnReadable();
  int fd() const { return fd_; }

 private:
  Result Finish(Result result);

  int fd_ = -1;
  // Of the status line.
  char head_[16] = {};
  int have_ = 0;
};

}  // namespace krypton::supervisor
