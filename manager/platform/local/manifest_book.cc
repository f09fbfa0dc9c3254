#include "manager/platform/local/manifest_book.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fmt/format.h"

namespace krypton::platform {

void ManifestBook::SetFile(const std::string& file, resource::Manifest manifest) {
  File next;
  for (auto& parsed : manifest.resources) {
    std::string name = resource::Describe(parsed.resource->key());
    next.good[std::move(name)] = {std::move(parsed.resource), parsed.document, parsed.line};
  }
  // Which of the resources that this file had are now behind a mistake. A document that does not
  // even say its name may be any of them.
  bool any = false;
  std::set<std::string> wrong;
  for (const auto& problem : manifest.problems) {
    any = any || problem.key().name().empty();
    wrong.insert(resource::ToString(problem.key()));
  }
  for (auto& [name, good] : files_[file].good) {
    // Without the kind: an edit may have broken just that.
    if (any || wrong.count(resource::ToString(good.resource->key())) > 0)
      next.good.try_emplace(name, std::move(good));
  }
  next.problems = std::move(manifest.problems);
  files_[file] = std::move(next);
}

void ManifestBook::SetUnreadable(const std::string& file, const std::string& reason) {
  v1::ManifestProblem problem;
  problem.set_file(file);
  problem.set_reason(reason);
  files_[file].problems = {std::move(problem)};
}

void ManifestBook::RemoveFile(const std::string& file) { files_.erase(file); }

void ManifestBook::Remember(const std::string& file,
                            std::shared_ptr<const resource::Resource> resource) {
  std::string name = resource::Describe(resource->key());
  owners_[name] = file;
  files_[file].good[std::move(name)] = {std::move(resource), 0, 0};
}

std::map<std::string, ManifestBook::Declared> ManifestBook::Resolve() {
  std::erase_if(owners_, [&](const auto& owned) {
    const auto file = files_.find(owned.second);
    return file == files_.end() || file->second.good.count(owned.first) == 0;
  });
  std::map<std::string, Declared> declared;
  problems_.clear();
  for (const auto& [path, file] : files_) {
    problems_.insert(problems_.end(), file.problems.begin(), file.problems.end());
    for (const auto& [name, good] : file.good) {
      const auto [owner, claimed] = owners_.try_emplace(name, path);
      if (owner->second == path) {
        declared[name] = {good.resource, path};
        continue;
      }
      v1::ManifestProblem problem;
      problem.set_file(path);
      problem.set_document(good.document);
      problem.set_line(good.line);
      *problem.mutable_key() = good.resource->key();
      problem.set_field("metadata.name");
      problem.set_reason(fmt::format("{}: metadata.name is taken: {} declares it already",
                                     resource::Describe(good.resource->key()), owner->second));
      problems_.push_back(std::move(problem));
    }
  }
  std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
    return a.file() != b.file() ? a.file() < b.file() : a.document() < b.document();
  });
  return declared;
}

}  // namespace krypton::platform
