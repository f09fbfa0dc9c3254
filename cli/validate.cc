#include "cli/validate.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "cli/manifest_files.h"
#include "common/config/file.h"
#include "common/config/flags.h"
#include "common/resource/manifest.h"

namespace krypton::cli {
namespace {

namespace fs = std::filesystem;

// More than any manifest may have; the parser says so.
constexpr size_t kMaxBytes = 16 << 20;

// The files that `path` stands for; a folder stands for its manifests, in order.
std::vector<std::string> Expand(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  return FilesIn(path, IsManifestName);
}

std::string ReadAll(std::istream& in) {
  std::string content;
  char buffer[65536];
  while (content.size() < kMaxBytes && (in.read(buffer, sizeof buffer) || in.gcount() > 0)) {
    content.append(buffer, static_cast<size_t>(in.gcount()));
  }
  return content;
}

absl::StatusOr<std::string> Read(const std::string& path) {
  if (path == "-") return ReadAll(std::cin);
  // What the shell hands over: `krypton validate <(helm template ...)`.
  if (path == "/dev/stdin" || path.starts_with("/dev/fd/")) {
    std::ifstream file(path);
    if (!file) return absl::NotFoundError("cannot read " + path);
    return ReadAll(file);
  }
  return config::ReadFile(path, kMaxBytes);
}

}  // namespace

void AddValidate(config::Flags& flags, ValidateOptions* options) {
  flags.AddPositional(&options->files, "FILE", "manifests, folders of them, or - for stdin");
  flags.Add(&options->cluster, "cluster",
            "check by the rules of a cluster, where a local command is not needed");
}

int RunValidate(const ValidateOptions& options) {
  const auto target = options.cluster ? resource::Target::kCluster : resource::Target::kLocal;
  int status = kOk;
  for (const std::string& path : options.files) {
    const std::vector<std::string> files = Expand(path);
    if (files.empty()) status = Fail(absl::NotFoundError(path + " holds no manifest"));
    for (const std::string& file : files) {
      const auto content = Read(file);
      if (!content.ok()) {
        status = Fail(content.status());
        continue;
      }
      resource::Manifest manifest = resource::ParseManifest(file, *content, target);
      std::stable_sort(manifest.problems.begin(), manifest.problems.end(),
                       [](const auto& a, const auto& b) { return a.line() < b.line(); });
      for (const auto& problem : manifest.problems) {
        Print(resource::ToString(problem) + "\n");
        status = kFailed;
      }
      if (manifest.problems.empty() && manifest.resources.empty()) {
        status = Fail(absl::NotFoundError(file + " holds no manifest"));
      } else if (manifest.problems.empty()) {
        Print(file + ": " + std::to_string(manifest.resources.size()) +
              (manifest.resources.size() == 1 ? " resource is right\n" : " resources are right\n"));
      }
    }
  }
  return status;
}

}  // namespace krypton::cli
