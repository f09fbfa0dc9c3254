// What a child prints, kept in a file that never grows beyond a bound: when it is full it becomes
// `NAME.1` in place of the one before, and a new one begins. One thread.
#pragma once

#include <cstddef>

namespace krypton::supervisor {

class LogFile {
 public:
  // `name` in the folder that `folder_fd` is; both outlive this. Nothing is opened before the first
  // byte.
  LogFile(int folder_fd, const char* name, size_t max_bytes)
      : folder_fd_(folder_fd), name_(name), max_bytes_(max_bytes) {}

  // What cannot be written (a full disk) is dropped: the child must never wait for it.
  void Write(const char* data, size_t size);

 private:
  bool Open();
  void Rotate();

  const int folder_fd_;
  const char* const name_;
  const size_t max_bytes_;
  int fd_ = -1;
  size_t written_ = 0;
};

// Reads what is in the pipe now and writes it to the log. False: no writer is left.
bool Pump(int pipe_fd, LogFile* log);

}  // namespace krypton::supervisor
