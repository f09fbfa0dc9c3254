#include "manager/platform/local/log_directory.h"

#include <utility>

namespace krypton::platform {

void LogDirectory::Set(const v1::ResourceKey& key, std::vector<LogSource> sources) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sources_[key] = std::move(sources);
}

void LogDirectory::Remove(const v1::ResourceKey& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sources_.erase(key);
}

std::optional<std::vector<LogSource>> LogDirectory::Get(const v1::ResourceKey& key) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = sources_.find(key);
  if (found == sources_.end()) return std::nullopt;
  return found->second;
}

}  // namespace krypton::platform
