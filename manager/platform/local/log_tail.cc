#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/config/utf8.h"
#include "manager/platform/local/log_stream.h"

namespace krypton::platform {
namespace {

constexpr size_t kMaxLineBytes = 64 << 10;

UniqueFd OpenLog(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

ino_t InodeOf(const UniqueFd& file) {
  struct stat status;
  return file.valid() && fstat(file.get(), &status) == 0 ? status.st_ino : 0;
}

// Where the last `lines` lines begin; `lines` becomes how many of them are missing.
off_t TailOffset(const UniqueFd& file, int* lines) {
  off_t end = lseek(file.get(), 0, SEEK_END);
  char block[16 << 10];
  bool last_byte = true;
  while (end > 0) {
    const auto size = static_cast<ssize_t>(std::min<off_t>(end, sizeof block));
    end -= size;
    if (pread(file.get(), block, static_cast<size_t>(size), end) != size) return 0;
    for (ssize_t i = size - 1; i >= 0; --i) {
      // A line end at the very end closes the last line; it begins none.
      const bool begins_line = block[i] == '\n' && !last_byte;
      last_byte = false;
      if (begins_line && --*lines <= 0) return end + i + 1;
    }
  }
  // The file's first line has no line end before it.
  if (!last_byte) --*lines;
  return 0;
}

}  // namespace

LogTail::LogTail(std::string folder, int tail_lines) : folder_(std::move(folder)) {
  SeekToTail(tail_lines);
}

std::string LogTail::Path(const char* suffix) const { return folder_ + "/agent.log" + suffix; }

void LogTail::SeekToTail(int tail_lines) {
  file_ = OpenLog(Path(""));
  int missing = tail_lines;
  const off_t at = !file_.valid()    ? 0
                   : tail_lines == 0 ? lseek(file_.get(), 0, SEEK_END)
                                     : TailOffset(file_, &missing);
  if (file_.valid()) lseek(file_.get(), at, SEEK_SET);
  if (missing <= 0) return;
  UniqueFd older = OpenLog(Path(".1"));
  if (!older.valid() || InodeOf(older) == InodeOf(file_)) return;
  // The newer one follows when this one is at its end.
  lseek(older.get(), TailOffset(older, &missing), SEEK_SET);
  file_ = std::move(older);
}

bool LogTail::Refill() {
  if (!file_.valid()) return false;
  char block[64 << 10];
  const ssize_t got = read(file_.get(), block, sizeof block);
  if (got > 0) buffer_.append(block, static_cast<size_t>(got));
  return got > 0;
}

bool LogTail::OpenNext() {
  UniqueFd next = OpenLog(Path(""));
  if (!next.valid() || InodeOf(next) == InodeOf(file_)) return false;
  // What was written between our last look and the rotation.
  if (Refill()) return true;
  file_ = std::move(next);
  return Refill();
}

bool LogTail::Readable() {
  if (buffer_.find('\n') != std::string::npos || buffer_.size() >= kMaxLineBytes) return true;
  while (Refill() || OpenNext()) {
    if (buffer_.find('\n') != std::string::npos || buffer_.size() >= kMaxLineBytes) return true;
  }
  return false;
}

std::vector<std::string> LogTail::Read(size_t max_bytes) {
  std::vector<std::string> lines;
  size_t bytes = 0;
  size_t taken = 0;
  while (bytes < max_bytes) {
    const size_t end = buffer_.find('\n', taken);
    if (end == std::string::npos && buffer_.size() - taken < kMaxLineBytes) {
      buffer_.erase(0, taken);
      taken = 0;
      if (!Refill() && !OpenNext()) break;
      continue;
    }
    const bool whole = end != std::string::npos && end - taken <= kMaxLineBytes;
    std::string line = buffer_.substr(taken, whole ? end - taken : kMaxLineBytes);
    taken += line.size() + (whole ? 1 : 0);
    if (whole && line.ends_with('\r')) line.pop_back();
    bytes += line.size() + 1;
    lines.push_back(config::ToUtf8(std::move(line)));
  }
  buffer_.erase(0, taken);
  return lines;
}

std::vector<std::string> LogTail::ReadRest() {
  std::vector<std::string> lines;
  if (!buffer_.empty()) lines.push_back(config::ToUtf8(std::move(buffer_)));
  buffer_.clear();
  return lines;
}

}  // namespace krypton::platform
