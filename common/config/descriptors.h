// The file descriptors that a process may have (RLIMIT_NOFILE). Connections of strangers may not
// take the last ones: it needs some to call others, to read its files and to start processes. Any
// thread.
#pragma once

#include <cerrno>

namespace krypton::config {

// Whether a connection that was accepted as `fd` goes too far, so that it is closed again: fewer
// than an eighth of the limit (at most 256) would be left. The kernel gives the lowest number that
// is free.
bool TakesReserve(int fd);

// Whether accept(2) failed with `error` for want of something that comes back when others let go.
inline bool IsExhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace krypton::config
