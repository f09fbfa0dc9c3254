// What pods need that are left of a resource that is gone.
#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/objects/children.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/reconciler.h"

namespace krypton::kube {

// The kubelet mounts it again now and then, and would say of each pod that it cannot. The
// Deployment goes after the Secret, whom it has as an owner: once it is not there, neither is the
// Secret, and what is made now does not keep it.
absl::Status Reconciler::KeepSecret(const v1::ResourceKey& key, const ResourceView& view) {
  if (view.declared != nullptr || view.deployment != nullptr || view.pods.empty() ||
      view.uid.empty() || view.secret_kept) {
    return absl::OkStatus();
  }
  std::vector<PodName> pods;
  for (const auto& [name, pod] : view.pods) pods.push_back({name, pod->uid});
  const auto authority = authority_.Get();
  const auto certificate =
      authority->Issue(key, std::chrono::system_clock::now(), settings_.certificate_lifetime);
  if (!certificate.ok()) return certificate.status();
  const std::string token = authority->DrainToken(key, view.uid);
  WriteOptions options;
  options.force = false;  // Somebody else's Secret of this name stays theirs.
  const absl::Status status = client_
                                  .Apply(Secrets(), {key.namespace_(), SecretName(key)},
                                         SecretForPods(key, pods, *certificate, token), options)
                                  .status();
  // Nothing is made in a namespace that ends.
  const bool refused =
      IsConflict(status) || absl::IsPermissionDenied(status) || absl::IsNotFound(status);
  if (status.ok() || refused) view_.SetSecretKept(key);
  return refused ? absl::OkStatus() : status;
}

}  // namespace krypton::kube
