// The logs of a resource's pods, as the manager asks for them.
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/kubernetes_platform_impl.h"

namespace krypton::platform {

kube::LogSources KubernetesPlatform::FindLogs(const v1::ResourceKey& key,
                                              const std::string& instance) const {
  kube::LogSources sources;
  const std::optional<kube::ResourceView> view = view_.Get(key);
  if (!view.has_value()) return sources;
  sources.exists = view->exists();
  for (const auto& [name, pod] : view->pods) {
    if (instance.empty() || instance == pod->uid) sources.pods.push_back(pod);
  }
  return sources;
}

absl::StatusOr<std::unique_ptr<LogStream>> KubernetesPlatform::ReadLogs(const v1::ResourceKey& key,
                                                                        const LogOptions& options) {
  const kube::LogSources sources = FindLogs(key, options.instance);
  if (!sources.exists) return absl::NotFoundError(resource::Describe(key) + " does not exist");
  if (sources.pods.empty() && !options.instance.empty()) {
    return absl::NotFoundError(
        absl::StrCat(resource::Describe(key), " has no replica ", options.instance.substr(0, 80)));
  }
  return kube::OpenLogs(
      reader_, [this, key, instance = options.instance] { return FindLogs(key, instance); },
      options);
}

}  // namespace krypton::platform
