// LogStream over the log files that supervisors keep. Holds each file open, so that what is there
// when it is rotated, or when its replica is removed, is read to its end. A replica that starts
// while one follows is followed too.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/resource/key.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/log_directory.h"
#include "manager/platform/platform.h"

namespace krypton::platform {

// The complete lines of one replica's log, from some point on, over rotations. One thread at a
// time.
class LogTail {
 public:
  // Begins `tail_lines` lines before the end of what `folder` has.
  LogTail(std::string folder, int tail_lines);

  // Lines that are there, at most about `max_bytes` of them, valid UTF-8; a line longer than 64 KiB
  // comes in parts.
  std::vector<std::string> Read(size_t max_bytes);
  // What is left of a line whose end never came.
  std::vector<std::string> ReadRest();
  // Whether Read may give something.
  bool Readable();

 private:
  std::string Path(const char* suffix) const;
  bool Refill();
  bool OpenNext();
  void SeekToTail(int tail_lines);

  const std::string folder_;
  UniqueFd file_;
  std::string buffer_;
};

class LocalLogStream : public LogStream {
 public:
  // `when_readable(stream check, ready)`: arranges that, from the platform's thread, `ready` is
  // called once `check` returns true; returns a function that cancels it and waits for a call that
  // runs.
  using Cancel = std::function<void()>;
  using WaitFor = std::function<Cancel(std::function<bool()> check, std::function<void()> ready)>;

  LocalLogStream(const LogDirectory& directory, v1::ResourceKey key, LogOptions options,
                 WaitFor wait_for);
  ~LocalLogStream() override;

  absl::StatusOr<LogBatch> Read(size_t max_bytes) override;
  void WhenReadable(std::function<void()> ready) override;

 private:
  struct Source {
    LogTail tail;
    bool ended = false;
    bool finished = false;
  };

  void FindSources();
  bool Readable();
  // While one follows, a replica may still come, but not of a resource that is gone, nor another
  // one than was asked for.
  bool MayCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return options_.follow && !gone_ && options_.instance.empty();
  }

  const LogDirectory& directory_;
  const v1::ResourceKey key_;
  const LogOptions options_;
  const WaitFor wait_for_;
  std::mutex mutex_;
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> order_ ABSL_GUARDED_BY(mutex_);  // As they came.
  // The instance that was read last: each has its turn.
  std::string last_ ABSL_GUARDED_BY(mutex_);
  bool first_ ABSL_GUARDED_BY(mutex_) = true;
  // The resource does not exist any more.
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  Cancel cancel_;
  Cancel cancel_last_;  // Of the wait before, whose call has begun.
};

}  // namespace krypton::platform
