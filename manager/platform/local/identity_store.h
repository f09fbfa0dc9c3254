// Gives each declared resource what an API server would: a uid, a generation that counts the
// changes of its spec, a creation time; and keeps them, with the resource's last good version, over
// restarts of the manager: one JSON file a resource. Belongs to the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/resource/resource.h"

namespace krypton::platform {

// A resource as it is in force.
struct Admitted {
  std::shared_ptr<const resource::Resource> resource;
  // The manifest that declares it.
  std::string file;
};

class IdentityStore {
 public:
  explicit IdentityStore(std::string folder) : folder_(std::move(folder)) {}

  // Reads what an earlier manager knew. What cannot be read is logged and left out.
  absl::Status Load();
  // By resource::Describe of its key.
  const std::map<std::string, Admitted>& all() const { return all_; }

  // The resource with its identity: the one it had, with the next generation if the spec, or the
  // folder in which its command runs, is another one.
  Admitted Admit(const resource::Resource& parsed, const std::string& file);
  // Puts on disk what was admitted since; to be called before anything is waited for.
  void Save();
  // It is gone; one of the same name that comes later is another one.
  void Forget(const std::string& name);

 private:
  std::string PathOf(const v1::ResourceKey& key) const;
  static std::string ToJson(const Admitted& admitted);

  const std::string folder_;
  std::map<std::string, Admitted> all_;
  // Names of those that the disk does not have so.
  std::set<std::string> unsaved_;
};

// The folder of a file: "manifests" of "manifests/a.yaml", "." of "a.yaml".
std::string FolderOfFile(const std::string& file);

}  // namespace krypton::platform
