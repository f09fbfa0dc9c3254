#include "manager/platform/local/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "fmt/format.h"

namespace krypton::platform {

namespace {

// From here on the whole file system is flushed once instead of each file.
constexpr size_t kManyFiles = 8;

std::string Temporary(const std::string& path) { return path + ".new"; }

absl::Status WriteTemporary(const std::string& path, std::string_view content, bool sync) {
  const std::string temporary = Temporary(path);
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus("writing", temporary);
  for (size_t at = 0; at < content.size();) {
    const ssize_t wrote = write(fd.get(), content.data() + at, content.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus("writing", temporary);
    at += static_cast<size_t>(wrote);
  }
  if (sync && fsync(fd.get()) != 0) return ErrnoStatus("writing", temporary);
  return absl::OkStatus();
}

absl::Status RenameTemporary(const std::string& path) {
  if (rename(Temporary(path).c_str(), path.c_str()) != 0) return ErrnoStatus("renaming to", path);
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  const absl::Status status = WriteTemporary(path, content, false);
  return status.ok() ? RenameTemporary(path) : status;
}

absl::Status WriteFilesDurably(const std::string& folder, const std::vector<FileContent>& files) {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("opening", folder);
  const bool many = files.size() > kManyFiles;
  for (const FileContent& file : files) {
    absl::Status status = WriteTemporary(file.path, file.content, !many);
    if (!status.ok()) return status;
  }
  // Content before name: a name never stands for an empty file.
  if (many && syncfs(fd.get()) != 0) return ErrnoStatus("flushing", folder);
  for (const FileContent& file : files) {
    absl::Status status = RenameTemporary(file.path);
    if (!status.ok()) return status;
  }
  if (fsync(fd.get()) != 0) return ErrnoStatus("flushing", folder);
  return absl::OkStatus();
}

absl::Status EnsureWritableFolder(const std::string& path) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("making", part);
  }
  const std::string probe = path + "/.probe";
  const UniqueFd fd(open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus("writing into", path);
  unlink(probe.c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) return absl::ErrnoToStatus(error.value(), fmt::format("listing {}", path));
  std::sort(names.begin(), names.end());
  return names;
}

void RemoveFolder(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace krypton::platform
