// What a supervisor is told on its standard input: NUL-terminated `name=value` records, written by
// launch.cc of the local platform. Nothing of it stands on a command line, where others could read
// it. Lives as long as the process.
#pragma once

#include <cstddef>

namespace krypton::supervisor {

// A program: the arrays end with a null pointer, as execve wants them.
struct Program {
  char** argv = nullptr;
  char** env = nullptr;
  // Null: the replica's folder.
  const char* folder = nullptr;
};

struct Spec {
  // The replica's own folder: control socket, ready file, logs.
  const char* folder = nullptr;
  // Of the sidecar's /drain; never in the agent's environment.
  const char* drain_token = nullptr;
  Program agent;
  Program proxy;
  // Without a manager for so long, the replica drains and ends.
  long orphan_ms = 30'000;
  // What a drain may take that nobody gave a limit.
  long grace_ms = 30'000;
  // From SIGTERM to SIGKILL.
  long stop_ms = 5'000;
  // Of one log file; the one before it is kept beside.
  size_t log_bytes = 4 << 20;
};

// Reads `fd` to its end. Null: what is missing or malformed was said on standard error.
const Spec* ReadSpec(int fd);

}  // namespace krypton::supervisor
