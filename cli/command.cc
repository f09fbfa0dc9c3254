#include "cli/command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cli/printable.h"
#include "common/rpc/status.h"

namespace krypton::cli {

int Fail(const absl::Status& status) {
  if (status.ok()) return kOk;
  fprintf(stderr, "krypton: %s\n", Printable(std::string(status.message())).c_str());
  const bool from_server = !rpc::Reason(status).empty();
  return absl::IsInvalidArgument(status) && !from_server ? kUsage : kFailed;
}

bool Print(const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = write(STDOUT_FILENO, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    written += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace krypton::cli
