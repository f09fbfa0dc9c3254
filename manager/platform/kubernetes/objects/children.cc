#include "manager/platform/kubernetes/objects/children.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/pod.h"
#include "manager/platform/kubernetes/objects/spec.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// A roll that does not get on is said by the Deployment after so long; ours says more, and earlier.
constexpr std::chrono::seconds kProgressDeadline{600};

json::object OwnerOf(const resource::Resource& resource) {
  return {{"apiVersion", kApiVersion},
          {"kind", KindName(resource.kind())},
          {"name", resource.key().name()},
          {"uid", resource.metadata().uid()},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

json::object Child(const resource::Resource& resource, const char* api_version, const char* kind,
                   const std::string& name) {
  json::object child{{"apiVersion", api_version}, {"kind", kind}};
  child["metadata"] = ChildMetadata(resource, name);
  return child;
}

json::object SecretData(const SidecarCertificate& certificate, const std::string& drain_token) {
  return {{"tls.crt", absl::Base64Escape(certificate.certificate)},
          {"tls.key", absl::Base64Escape(certificate.key)},
          {"ca.crt", absl::Base64Escape(certificate.authority)},
          {"drain-token", absl::Base64Escape(drain_token)}};
}

json::object Selector(const v1::ResourceKey& key) { return {{OwnerLabel(key.kind()), key.name()}}; }

// Nothing ready goes before something new is ready.
json::object Strategy() {
  return {{"type", "RollingUpdate"},
          {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", "25%"}}}};
}

}  // namespace

json::object ChildMetadata(const resource::Resource& resource, const std::string& name) {
  json::object metadata;
  metadata["name"] = name;
  metadata["namespace"] = resource.key().namespace_();
  metadata["labels"] = OwnLabels(resource.key());
  json::array owners;
  owners.push_back(OwnerOf(resource));
  metadata["ownerReferences"] = std::move(owners);
  return metadata;
}

json::object ServiceAccountFor(const resource::Resource& resource) {
  json::object account = Child(resource, "v1", "ServiceAccount", resource.key().name());
  account["automountServiceAccountToken"] = false;
  return account;
}

json::object ServiceFor(const resource::Resource& resource) {
  json::object service = Child(resource, "v1", "Service", ServiceName(resource.key()));
  json::array ports;
  ports.push_back(json::object{{"name", "http"},
                               {"port", resource.port()},
                               {"protocol", "TCP"},
                               {"targetPort", "proxy"},
                               {"appProtocol", "http"}});
  service["spec"] = json::object{
      {"type", "ClusterIP"}, {"selector", Selector(resource.key())}, {"ports", std::move(ports)}};
  return service;
}

json::object SecretFor(const resource::Resource& resource, const SidecarCertificate& certificate,
                       const std::string& drain_token) {
  json::object secret = Child(resource, "v1", "Secret", SecretName(resource.key()));
  secret["type"] = "Opaque";
  secret["data"] = SecretData(certificate, drain_token);
  return secret;
}

json::object SecretForPods(const v1::ResourceKey& key, const std::vector<PodName>& pods,
                           const SidecarCertificate& certificate, const std::string& drain_token) {
  json::array owners;
  for (const PodName& pod : pods) {
    owners.push_back(
        json::object{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", pod.name}, {"uid", pod.uid}});
  }
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata", json::object{{"name", SecretName(key)},
                                    {"namespace", key.namespace_()},
                                    {"labels", OwnLabels(key)},
                                    {"ownerReferences", std::move(owners)}}},
          {"type", "Opaque"},
          {"data", SecretData(certificate, drain_token)}};
}

json::object DeploymentFor(const resource::Resource& resource, const ObjectSettings& settings,
                           const DeploymentParts& parts) {
  const v1::ResourceKey& key = resource.key();
  json::object deployment = Child(resource, "apps/v1", "Deployment", key.name());
  json::object& metadata = deployment["metadata"].as_object();
  metadata["ownerReferences"].as_array().push_back(json::object{{"apiVersion", "v1"},
                                                                {"kind", "Secret"},
                                                                {"name", SecretName(key)},
                                                                {"uid", parts.secret_uid}});
  metadata["annotations"] = json::object{{kCertificateAnnotation, parts.certificate}};
  const auto startup = std::chrono::ceil<std::chrono::seconds>(resource.startup_timeout());
  json::object spec;
  spec["replicas"] = parts.replicas;
  spec["revisionHistoryLimit"] = 2;
  spec["progressDeadlineSeconds"] =
      std::max(kProgressDeadline, startup + std::chrono::seconds(60)).count();
  spec["strategy"] = Strategy();
  spec["selector"] = json::object{{"matchLabels", Selector(key)}};
  spec["template"] = PodTemplate(resource, settings, parts.drain_token);
  deployment["spec"] = std::move(spec);
  return deployment;
}

}  // namespace krypton::kube
