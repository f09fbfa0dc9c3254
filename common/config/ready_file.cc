#include "common/config/ready_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/log/format.h"

namespace krypton::config {
namespace {

absl::Status Failed(const std::string& what, const std::string& path, int error) {
  return absl::UnavailableError("cannot " + what + " " + path + ": " + strerror(error));
}

absl::Status WriteAll(int fd, const std::string& path, const std::string& content) {
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t n = write(fd, content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("write", path, errno);
    written += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, const std::string& content) {
  std::string temporary = path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Failed("create", temporary, errno);
  absl::Status status = WriteAll(fd, temporary, content);
  if (fchmod(fd, 0644) != 0 && status.ok()) status = Failed("change the mode of", temporary, errno);
  if (close(fd) != 0 && status.ok()) status = Failed("write", temporary, errno);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = Failed("rename a temporary file to", path, errno);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::Status WriteReadyFile(const std::string& path,
                            const std::vector<std::pair<std::string, std::string>>& addresses) {
  if (path.empty()) return absl::OkStatus();
  std::string json = "{\"pid\":" + std::to_string(getpid());
  for (const auto& [name, address] : addresses) {
    if (address.empty()) continue;
    json += ',';
    log::AppendJsonString(json, name);
    json += ':';
    log::AppendJsonString(json, address);
  }
  return WriteFileAtomically(path, json + "}\n");
}

}  // namespace krypton::config
