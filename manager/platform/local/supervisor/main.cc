// krypton-supervisor: the parent of one local replica's processes. Started by the local platform
// with its spec on standard input (spec.h), the bound control socket as descriptor 3, and, as
// descriptor 4, a reservation of the agent's port that lasts as long as this process does.
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>

#include "manager/platform/local/supervisor/supervisor.h"

int main() {
  using namespace krypton::supervisor;
  constexpr int kListener = 3;
  constexpr int kReservation = 4;
  const Spec* const spec = ReadSpec(0);
  if (spec == nullptr) return 2;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  fcntl(kListener, F_SETFD, FD_CLOEXEC);
  fcntl(kReservation, F_SETFD, FD_CLOEXEC);
  const int folder = open(spec->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    perror("krypton-supervisor: the replica's folder");
    return 1;
  }
  Supervisor supervisor(*spec, kListener, folder);
  supervisor.Run();
  return 0;
}
