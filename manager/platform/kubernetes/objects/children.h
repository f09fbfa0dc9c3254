// The objects that are made for an Agent or a Model, each as the whole intent of a server-side
// apply: everything that Krypton owns of it, and nothing else. Pure.
#pragma once

#include <string>
#include <vector>

#include "boost/json/object.hpp"
#include "common/resource/resource.h"
#include "manager/platform/kubernetes/objects/certificate.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::kube {

// The metadata that all children have: name, namespace, labels, and the owner, with whom they go.
boost::json::object ChildMetadata(const resource::Resource& resource, const std::string& name);

boost::json::object ServiceAccountFor(const resource::Resource& resource);
boost::json::object ServiceFor(const resource::Resource& resource);
// For the sidecars only.
boost::json::object SecretFor(const resource::Resource& resource,
                              const SidecarCertificate& certificate,
                              const std::string& drain_token);

// The same for the pods that are left of a resource that is gone, with the last of which it goes.
struct PodName {
  std::string name;
  std::string uid;
};
boost::json::object SecretForPods(const v1::ResourceKey& key, const std::vector<PodName>& pods,
                                  const SidecarCertificate& certificate,
                                  const std::string& drain_token);

struct DeploymentParts {
  int replicas = 0;
  std::string drain_token;
  // Of the sidecars' Secret, as the server gave it. The Deployment names the Secret as a second
  // owner, without being ended by it: when the Secret is deleted, the garbage collector takes the
  // reference away, and so a manager that may not read Secrets learns of it.
  std::string secret_uid;
  // What it says in kCertificateAnnotation.
  std::string certificate;
};
boost::json::object DeploymentFor(const resource::Resource& resource,
                                  const ObjectSettings& settings, const DeploymentParts& parts);

}  // namespace krypton::kube
