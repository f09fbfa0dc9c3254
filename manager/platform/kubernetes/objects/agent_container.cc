#include "manager/platform/kubernetes/objects/agent_container.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/resource/llama_cpp.h"
#include "manager/platform/kubernetes/objects/json.h"
#include "manager/platform/kubernetes/objects/spec.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

// llama.cpp keeps what it downloads in LLAMA_CACHE.
constexpr char kCachePath[] = "/var/cache/krypton/models";
// Between two looks at a model that loads.
constexpr int kModelProbeSeconds = 2;

json::array Texts(const auto& texts) {
  json::array list;
  for (const std::string& text : texts) list.push_back(json::value(text));
  return list;
}

json::object FieldVariable(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

std::string PublicUrl(const resource::Resource& resource, const ObjectSettings& settings) {
  const absl::string_view base = absl::StripSuffix(settings.gateway_url, "/");
  if (resource.model() != nullptr) return absl::StrCat(base, "/v1");
  return absl::StrCat(base, "/v1/agents/", resource.key().namespace_(), "/", resource.key().name());
}

// The spec's, and the three that an agent on one machine has too.
json::array Environment(const resource::Resource& resource, const ObjectSettings& settings) {
  json::array environment;
  environment.push_back({{"name", "PORT"}, {"value", absl::StrCat(resource.port())}});
  environment.push_back({{"name", "KRYPTON_PUBLIC_URL"}, {"value", PublicUrl(resource, settings)}});
  environment.push_back(FieldVariable("KRYPTON_INSTANCE", "metadata.uid"));
  if (resource.model() != nullptr) {
    environment.push_back({{"name", "LLAMA_CACHE"}, {"value", kCachePath}});
  }
  const auto& own = FromSpec(
      resource, [](const auto& s) -> const auto& { return s.env(); });
  for (const v1::EnvVar& variable : own) {
    const auto same = [&](const json::value& other) {
      return other.at("name").as_string() == variable.name();
    };
    environment.erase(std::remove_if(environment.begin(), environment.end(), same),
                      environment.end());
    json::object entry{{"name", variable.name()}};
    if (variable.has_value_from()) {
      entry["valueFrom"] = ToJson(variable.value_from());
    } else {
      entry["value"] = variable.value();
    }
    environment.push_back(std::move(entry));
  }
  return environment;
}

void AddCommand(const resource::Resource& resource, json::object* container) {
  const v1::PodTemplate& pod = PodOf(resource);
  if (!pod.command().empty()) (*container)["command"] = Texts(pod.command());
  if (resource.model() != nullptr) {
    // The kubelet's probes come to the pod's address.
    (*container)["args"] =
        Texts(resource::LlamaServerFlags(*resource.model(), "0.0.0.0", resource.port()));
  } else if (!pod.args().empty()) {
    (*container)["args"] = Texts(pod.args());
  }
}

json::object Resources(const v1::ResourceRequirements& resources) {
  json::object object;
  if (!resources.requests().empty()) object["requests"] = ToJson(resources.requests());
  if (!resources.limits().empty()) object["limits"] = ToJson(resources.limits());
  return object;
}

// A model is ready when its server says so, and has as long to load as a call may wait for it.
void AddModelProbes(const resource::Resource& resource, json::object* container) {
  const auto probe = [](int failures) {
    return json::object{{"httpGet", {{"path", "/health"}, {"port", "http"}}},
                        {"periodSeconds", kModelProbeSeconds},
                        {"timeoutSeconds", 2},
                        {"failureThreshold", failures}};
  };
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(resource.startup_timeout()).count();
  const auto attempts = (seconds + kModelProbeSeconds - 1) / kModelProbeSeconds;
  (*container)["startupProbe"] = probe(static_cast<int>(std::max<int64_t>(attempts, 1)));
  (*container)["readinessProbe"] = probe(3);
}

void AddProbes(const resource::Resource& resource, json::object* container) {
  if (resource.model() != nullptr) AddModelProbes(resource, container);
  const v1::PodTemplate& pod = PodOf(resource);
  if (pod.has_startup_probe()) (*container)["startupProbe"] = ToJson(pod.startup_probe());
  if (pod.has_readiness_probe()) (*container)["readinessProbe"] = ToJson(pod.readiness_probe());
  if (pod.has_liveness_probe()) (*container)["livenessProbe"] = ToJson(pod.liveness_probe());
}

// Called by the kubelet at the pod's address, before it ends the container: `host` is not said, and
// the port is a number, since a name would be looked up in this container.
json::object DrainHook(const std::string& token) {
  const json::array headers{{{"name", "krypton-drain-token"}, {"value", token}}};
  return {{"preStop",
           {{"httpGet", {{"path", "/drain"}, {"port", kMetricsPort}, {"httpHeaders", headers}}}}}};
}

}  // namespace

json::object AgentContainer(const resource::Resource& resource, const ObjectSettings& settings,
                            const std::string& drain_token) {
  const v1::PodTemplate& pod = PodOf(resource);
  json::object container{{"name", "agent"}};
  FromSpec(resource, [&](const auto& spec) {
    container["image"] = spec.image();
    if (!spec.image_pull_policy().empty()) container["imagePullPolicy"] = spec.image_pull_policy();
    json::array from;
    for (const auto& source : spec.env_from()) from.push_back(ToJson(source));
    if (!from.empty()) container["envFrom"] = std::move(from);
    if (spec.has_resources()) container["resources"] = Resources(spec.resources());
  });
  AddCommand(resource, &container);
  container["env"] = Environment(resource, settings);
  container["ports"] = {{{"name", "http"}, {"containerPort", resource.port()}}};
  json::array mounts;
  for (const auto& mount : pod.volume_mounts()) mounts.push_back(ToJson(mount));
  if (resource.model() != nullptr) {
    mounts.push_back({{"name", kCacheVolume}, {"mountPath", kCachePath}});
  }
  if (!mounts.empty()) container["volumeMounts"] = std::move(mounts);
  if (pod.has_security_context()) container["securityContext"] = ToJson(pod.security_context());
  AddProbes(resource, &container);
  container["lifecycle"] = DrainHook(drain_token);
  container["terminationMessagePolicy"] = "FallbackToLogsOnError";
  return container;
}

}  // namespace krypton::kube
