// Where the logs of each resource's replicas are: written by the loop's thread, read by any.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/resource/key.h"

namespace krypton::platform {

struct LogSource {
  std::string instance;
  // The replica's folder.
  std::string folder;
  // It prints nothing any more.
  bool ended = false;
};

class LogDirectory {
 public:
  // All sources of the key, oldest first; a resource that sleeps has none.
  void Set(const v1::ResourceKey& key, std::vector<LogSource> sources);
  void Remove(const v1::ResourceKey& key);
  // Nothing: there is no such resource (any more).
  std::optional<std::vector<LogSource>> Get(const v1::ResourceKey& key) const;

 private:
  mutable std::mutex mutex_;
  resource::KeyMap<std::vector<LogSource>> sources_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::platform
