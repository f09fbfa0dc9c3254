#include "manager/platform/kubernetes/objects/pod.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "manager/platform/kubernetes/objects/agent_container.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/names.h"
#include "manager/platform/kubernetes/objects/proxy_container.h"
#include "manager/platform/kubernetes/objects/spec.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// After the requests in flight: streams that end by their protocol, and the agent's own end.
constexpr std::chrono::seconds kGraceMargin{30};

int64_t GraceSeconds(const resource::Resource& resource) {
  const auto grace = resource.timeout() + kGraceMargin;
  return std::chrono::ceil<std::chrono::seconds>(grace).count();
}

template <typename Structs>
json::array List(const Structs& structs) {
  json::array list;
  for (const auto& item : structs) list.push_back(ToJson(item));
  return list;
}

json::array One(json::object item) {
  json::array list;
  list.push_back(std::move(item));
  return list;
}

// Where the weights are kept between starts; an emptyDir where nothing is said, so that a container
// that is started again has them.
json::object CacheVolume(const v1::ModelCache& cache) {
  json::object volume{{"name", kCacheVolume}};
  if (!cache.claim_name().empty()) {
    volume["persistentVolumeClaim"] = {{"claimName", cache.claim_name()}};
    return volume;
  }
  json::object empty;
  if (!cache.size().empty()) empty["sizeLimit"] = cache.size();
  volume["emptyDir"] = std::move(empty);
  return volume;
}

json::array Volumes(const resource::Resource& resource) {
  json::array volumes = List(PodOf(resource).volumes());
  if (resource.model() != nullptr) {
    volumes.push_back(CacheVolume(resource.model()->spec().cache()));
  }
  for (json::value& volume : ProxyVolumes(resource.key())) volumes.push_back(std::move(volume));
  return volumes;
}

// The user's own, and a seccomp profile where it names none.
json::object PodSecurity(const v1::PodTemplate& pod) {
  json::object security = ToJson(pod.pod_security_context());
  if (!security.contains("seccompProfile")) {
    security["seccompProfile"] = {{"type", "RuntimeDefault"}};
  }
  return security;
}

void AddScheduling(const v1::PodTemplate& pod, json::object* spec) {
  const auto add_text = [&](const char* name, const std::string& value) {
    if (!value.empty()) (*spec)[name] = value;
  };
  add_text("runtimeClassName", pod.runtime_class_name());
  add_text("priorityClassName", pod.priority_class_name());
  if (!pod.node_selector().empty()) (*spec)["nodeSelector"] = ToJson(pod.node_selector());
  if (!pod.tolerations().empty()) (*spec)["tolerations"] = List(pod.tolerations());
  if (pod.has_affinity()) (*spec)["affinity"] = ToJson(pod.affinity());
  if (!pod.topology_spread_constraints().empty()) {
    (*spec)["topologySpreadConstraints"] = List(pod.topology_spread_constraints());
  }
}

json::object PodSpec(const resource::Resource& resource, const ObjectSettings& settings,
                     const std::string& drain_token) {
  const auto account = FromSpec(resource, [](const auto& s) { return s.service_account_name(); });
  json::object spec;
  spec["serviceAccountName"] = account.empty() ? resource.key().name() : account;
  spec["automountServiceAccountToken"] = false;
  // Else a Service named krypton-gateway becomes a variable KRYPTON_GATEWAY_PORT of the sidecar.
  spec["enableServiceLinks"] = false;
  spec["terminationGracePeriodSeconds"] = GraceSeconds(resource);
  spec["securityContext"] = PodSecurity(PodOf(resource));
  json::array pull_secrets;
  for (const std::string& name : FromSpec(
           resource, [](const auto& s) -> const auto& { return s.image_pull_secrets(); })) {
    pull_secrets.push_back(json::object{{"name", name}});
  }
  if (!pull_secrets.empty()) spec["imagePullSecrets"] = std::move(pull_secrets);
  AddScheduling(PodOf(resource), &spec);
  spec["initContainers"] = One(ProxyContainer(resource, settings));
  spec["containers"] = One(AgentContainer(resource, settings, drain_token));
  spec["volumes"] = Volumes(resource);
  return spec;
}

}  // namespace

json::object OwnLabels(const v1::ResourceKey& key) {
  return {{kNameLabel, key.name()},
          {kInstanceLabel, key.name()},
          {kManagedByLabel, kManagedBy},
          {OwnerLabel(key.kind()), key.name()}};
}

json::object PodTemplate(const resource::Resource& resource, const ObjectSettings& settings,
                         const std::string& drain_token) {
  json::object labels = ToJson(PodOf(resource).pod_labels());
  for (auto& [key, value] : OwnLabels(resource.key())) labels[key] = value;
  json::object annotations = ToJson(PodOf(resource).pod_annotations());
  // What `kubectl logs` and `kubectl exec` mean unless they name another.
  annotations["kubectl.kubernetes.io/default-container"] = "agent";
  json::object pod;
  pod["metadata"] = {{"labels", std::move(labels)}, {"annotations", std::move(annotations)}};
  pod["spec"] = PodSpec(resource, settings, drain_token);
  const std::string fingerprint = Fingerprint(pod);
  pod["metadata"].as_object()["annotations"].as_object()[kTemplateAnnotation] = fingerprint;
  return pod;
}

}  // namespace krypton::kube
