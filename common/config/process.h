// The life of a server process: start, run until a signal, stop, exit status.
//
//   config::Process process;   // first thing after the flags, before any thread
//   Gateway gateway(settings);
//   return process.Run([&] { return gateway.Start(); }, [&] { return gateway.Stop(); });
//
// SIGTERM and SIGINT end in order, a second one ends the process at once with status 1. One by the
// parent and one by somebody else are the same wish, though: a supervisor signals all processes of
// a service, and the parent passes on what it was told. SIGPIPE and SIGHUP are ignored; the limit
// of open files is raised to what is allowed. Handlers, not a signal mask, so that children inherit
// nothing but the ignored SIGPIPE and SIGHUP (reset them between fork and exec). Tells systemd
// READY=1 and STOPPING=1 when NOTIFY_SOCKET is set. One a process.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"

namespace krypton::config {

class Process {
 public:
  Process();
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Calls `start`, waits for a signal or RequestStop, calls `stop`, all on the calling thread, and
  // returns the exit status: 0 when both are OK; 2 when `start` fails with kInvalidArgument (wrong
  // configuration); else 1. A failure is the last line of the log. `stop` is called only after a
  // `start` that was OK; a signal that comes during `start` counts.
  int Run(const std::function<absl::Status()>& start, const std::function<absl::Status()>& stop);

  // Ends Run as a signal would; with a status that is not OK, Run returns 1 and logs it. Any
  // thread.
  void RequestStop(absl::Status reason = absl::OkStatus());

  // Blocks until the first signal or RequestStop; Run does this for servers. For programs with a
  // main loop of their own, `stop_fd` becomes readable at that moment and stays so.
  void WaitForStop();
  int stop_fd() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
  int stop_fd_ = -1;  // an eventfd
};

}  // namespace krypton::config
