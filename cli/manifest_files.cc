#include "cli/manifest_files.h"

#include <algorithm>
#include <filesystem>

namespace krypton::cli {

bool IsFollowedName(std::string_view name) {
  return !name.empty() && name[0] != '.' && name[0] != '#' &&
         (name.ends_with(".yaml") || name.ends_with(".yml"));
}

bool IsManifestName(std::string_view name) {
  return IsFollowedName(name) ||
         (name.ends_with(".json") && !name.starts_with('.') && !name.starts_with('#'));
}

std::vector<std::string> FilesIn(const std::string& folder, bool (*is_wanted)(std::string_view)) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (is_wanted(at->path().filename().string())) files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace krypton::cli
