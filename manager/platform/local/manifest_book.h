// What all manifests together declare. Remembers each file's last good version of each resource, so
// that a mistake in an edit leaves running what ran; lets one file own a name that two claim (an
// agent and a model of one name are two: which of them runs is for the manager to say). A plain
// object without I/O; one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/resource/manifest.h"

namespace krypton::platform {

class ManifestBook {
 public:
  struct Declared {
    std::shared_ptr<const resource::Resource> resource;
    std::string file;
  };

  // The file's present content, as ParseManifest understood it.
  void SetFile(const std::string& file, resource::Manifest manifest);
  // It is there and cannot be read: what it said before goes on.
  void SetUnreadable(const std::string& file, const std::string& reason);
  void RemoveFile(const std::string& file);
  // What an earlier manager knew of a file that is not read yet.
  void Remember(const std::string& file, std::shared_ptr<const resource::Resource> resource);

  // All that is in force, by resource::Describe of its key. Of two files that declare one name, the
  // one that did so first goes on.
  std::map<std::string, Declared> Resolve();
  // All that is wrong at the moment, as of the last Resolve, by file and document.
  const std::vector<v1::ManifestProblem>& problems() const { return problems_; }

 private:
  struct Good {
    std::shared_ptr<const resource::Resource> resource;
    int document = 0;
    int line = 0;
  };
  struct File {
    // By resource::Describe of its key.
    std::map<std::string, Good> good;
    std::vector<v1::ManifestProblem> problems;
  };

  std::map<std::string, File> files_;
  // Name → the file that owns it.
  std::map<std::string, std::string> owners_;
  std::vector<v1::ManifestProblem> problems_;
};

}  // namespace krypton::platform
