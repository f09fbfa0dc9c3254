// The supervisor's children: each in a process group of its own, dying with the supervisor whatever
// happens to it; and the end of all descendants. One thread.
#pragma once

#include <sys/types.h>

#include "manager/platform/local/supervisor/spec.h"

namespace krypton::supervisor {

struct Child {
  const char* name;
  pid_t pid = -1;
  // It has ended, with this status of waitpid.
  bool ended = false;
  int status = 0;
  // Not 0: it could not be executed.
  int error = 0;
  // What it prints; non-blocking; -1 once no writer is left.
  int output = -1;

  bool running() const { return pid > 0 && !ended; }
};

// Starts it with clean signals and without any descriptor of ours. On failure `error` is set and
// `ended` is true.
void Start(const Program& program, const char* folder, Child* child);

// To its whole process group.
void Signal(const Child& child, int signal);

// Reaps all that have ended; true: no child of any kind is left.
bool Reap(Child* first, Child* second);

// SIGKILL for every process that descends from this one, also those that left their group or
// session: as the subreaper this process is their last parent.
void KillDescendants();

}  // namespace krypton::supervisor
