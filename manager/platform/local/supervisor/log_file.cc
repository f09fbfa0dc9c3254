#include "manager/platform/local/supervisor/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace krypton::supervisor {

bool LogFile::Open() {
  fd_ = openat(folder_fd_, name_, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat status;
  written_ = fd_ >= 0 && fstat(fd_, &status) == 0 ? static_cast<size_t>(status.st_size) : 0;
  return fd_ >= 0;
}

void LogFile::Rotate() {
  char older[64];
  snprintf(older, sizeof older, "%s.1", name_);
  renameat(folder_fd_, name_, folder_fd_, older);
  close(fd_);
  fd_ = -1;
}

void LogFile::Write(const char* data, size_t size) {
  while (size > 0) {
    if (fd_ < 0 && !Open()) return;
    if (written_ >= max_bytes_) {
      Rotate();
      continue;
    }
    const size_t room = max_bytes_ - written_;
    size_t part = size;
    if (part > room) {
      // The last line end that still fits; a line longer than that is cut.
      const void* end = memrchr(data, '\n', room);
      part = end == nullptr ? room : static_cast<const char*>(end) - data + 1;
    }
    const ssize_t wrote = write(fd_, data, part);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    written_ += static_cast<size_t>(wrote);
    data += wrote;
    size -= static_cast<size_t>(wrote);
    // The rest is a line that did not fit.
    if (size > 0 && static_cast<size_t>(wrote) == part && part < room) Rotate();
  }
}

bool Pump(int pipe_fd, LogFile* log) {
  static char buffer[64 << 10];
  for (int rounds = 0; rounds < 16; ++rounds) {
    const ssize_t got = read(pipe_fd, buffer, sizeof buffer);
    if (got > 0) {
      log->Write(buffer, static_cast<size_t>(got));
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
  return true;
}

}  // namespace krypton::supervisor
