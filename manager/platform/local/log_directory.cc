#include "manager/platform/local/log_directory.h"

#include <utility>

namespace krypton::platform {

void LogDirectory::Set(const v1::ResourceKey& key, std::vector<LogSource> sources) {
  absl::MutexLock lock(&mutex_);
  if (sources.empty()) {
    sources_.erase(key);
  } else {
    sources_[key] = std::move(sources);
  }
}

std::vector<LogSource> LogDirectory::Get(const v1::ResourceKey& key) const {
  absl::MutexLock lock(&mutex_);
  const auto found = sources_.find(key);
  return found == sources_.end() ? std::vector<LogSource>() : found->second;
}

}  // namespace krypton::platform
