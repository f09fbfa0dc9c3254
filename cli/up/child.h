// A component that `krypton up` runs: a child process in a process group of its own, whose output
// goes to a log file, and which gets SIGTERM when this process dies, however it dies. Belongs to
// one thread, which must be the one that lives as long as the process (PR_SET_PDEATHSIG looks at
// the thread).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace krypton::cli {

class Child {
 public:
  // `command[0]` is the path of the binary.
  Child(std::string name, std::vector<std::string> command, std::string log_file);
  // Ends it with SIGKILL if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Requires: it does not run.
  absl::Status Start();
  void Signal(int signal) const;
  // Collects it when it has ended: then `exit_text` says how. True while it runs.
  bool Running();

  const std::string& name() const { return name_; }
  const std::string& log_file() const { return log_file_; }
  pid_t pid() const { return pid_; }  // Of the present or last run.
  // Readable when it has ended; -1 when it does not run.
  int pidfd() const { return pidfd_; }
  // "status 1", "signal 9 (Killed)".
  const std::string& exit_text() const { return exit_text_; }
  // It had no handler for `signal` yet, or none any more.
  bool EndedBy(int signal) const { return exit_signal_ == signal; }

  // The end of its log, for a person who asks why it ended.
  std::string LogTail(size_t max_lines) const;
  // Keeps the log file bounded: past 16 MiB its content moves to a second file.
  void BoundLog() const;

 private:
  const std::string name_;
  const std::vector<std::string> command_;
  const std::string log_file_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::string exit_text_;
  int exit_signal_ = 0;
};

}  // namespace krypton::cli
