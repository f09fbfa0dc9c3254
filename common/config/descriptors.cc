#include "common/config/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace krypton::config {

bool TakesReserve(int fd) {
  constexpr rlim_t kMaxReserve = 256;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  const rlim_t reserve = std::min(limit.rlim_cur / 8, kMaxReserve);
  return static_cast<rlim_t>(fd) >= limit.rlim_cur - reserve;
}

}  // namespace krypton::config
