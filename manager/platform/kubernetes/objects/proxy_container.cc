#include "manager/platform/kubernetes/objects/proxy_container.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/duration.h"
#include "manager/platform/kubernetes/objects/names.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;

constexpr char kTlsVolume[] = "krypton-proxy-tls";
constexpr char kTokenVolume[] = "krypton-proxy-token";
constexpr char kTlsPath[] = "/var/run/krypton/tls";
constexpr char kTokenPath[] = "/var/run/krypton/token";
constexpr char kDrainTokenKey[] = "drain-token";
constexpr char kAudience[] = "krypton";
constexpr int kTokenSeconds = 3600;
// The images' user (integration with Pod Security: a number, so that it can be checked).
constexpr int kUser = 65532;

json::array Arguments(const resource::Resource& resource, const ObjectSettings& settings) {
  json::array arguments;
  const auto add = [&](const char* flag, const std::string& value) {
    arguments.push_back(json::value(absl::StrCat("--", flag, "=", value)));
  };
  add("http-bind-address", absl::StrCat(":", kProxyPort));
  add("metrics-bind-address", absl::StrCat(":", kMetricsPort));
  add("agent-address", absl::StrCat("127.0.0.1:", resource.port()));
  add("kind", resource.model() != nullptr ? "model" : "agent");
  add("namespace", resource.key().namespace_());
  add("name", resource.key().name());
  add("instance", "$(POD_UID)");
  add("concurrency", absl::StrCat(resource.concurrency()));
  add("max-streams", absl::StrCat(resource.max_streams()));
  add("timeout", config::FormatDuration(resource.timeout()));
  add("drain-timeout", config::FormatDuration(resource.timeout()));
  if (resource.model() != nullptr) add("ready-path", "/health");
  add("manager-address", settings.manager_address);
  add("tls-cert", absl::StrCat(kTlsPath, "/tls.crt"));
  add("tls-key", absl::StrCat(kTlsPath, "/tls.key"));
  add("tls-ca", absl::StrCat(kTlsPath, "/ca.crt"));
  add("tls-server-name", settings.tls_server_name);
  add("token-file", absl::StrCat(kTokenPath, "/token"));
  return arguments;
}

json::array Environment(const v1::ResourceKey& key) {
  return {
      {{"name", "POD_UID"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.uid"}}}}}},
      {{"name", "KRYPTON_DRAIN_TOKEN"},
       {"valueFrom", {{"secretKeyRef", {{"name", SecretName(key)}, {"key", kDrainTokenKey}}}}}}};
}

json::object Probe(const char* path, int period, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "metrics"}}},
          {"periodSeconds", period},
          {"timeoutSeconds", 3},
          {"failureThreshold", failures}};
}

}  // namespace

json::object ProxyContainer(const resource::Resource& resource, const ObjectSettings& settings) {
  json::object container{{"name", "krypton-proxy"}};
  container["image"] = settings.proxy_image;
  container["imagePullPolicy"] = settings.proxy_image_pull_policy;
  container["restartPolicy"] = "Always";
  container["args"] = Arguments(resource, settings);
  container["env"] = Environment(resource.key());
  container["ports"] = {{{"name", "proxy"}, {"containerPort", kProxyPort}},
                        {{"name", "metrics"}, {"containerPort", kMetricsPort}}};
  container["resources"] = {
      {"requests",
       {{"cpu", settings.proxy_cpu_request}, {"memory", settings.proxy_memory_request}}},
      {"limits", {{"memory", settings.proxy_memory_limit}}}};
  container["readinessProbe"] = Probe("/readyz", 2, 2);
  container["livenessProbe"] = Probe("/healthz", 10, 6);
  container["securityContext"] = {{"runAsNonRoot", true},
                                  {"runAsUser", kUser},
                                  {"runAsGroup", kUser},
                                  {"allowPrivilegeEscalation", false},
                                  {"readOnlyRootFilesystem", true},
                                  {"capabilities", {{"drop", {"ALL"}}}},
                                  {"seccompProfile", {{"type", "RuntimeDefault"}}}};
  container["volumeMounts"] = {
      {{"name", kTlsVolume}, {"mountPath", kTlsPath}, {"readOnly", true}},
      {{"name", kTokenVolume}, {"mountPath", kTokenPath}, {"readOnly", true}},
      {{"name", "krypton-proxy-tmp"}, {"mountPath", "/tmp"}}};
  container["terminationMessagePolicy"] = "FallbackToLogsOnError";
  return container;
}

json::array ProxyVolumes(const v1::ResourceKey& key) {
  json::array items;
  for (const char* name : {"tls.crt", "tls.key", "ca.crt"}) {
    items.push_back({{"key", name}, {"path", name}});
  }
  json::object token{
      {"path", "token"}, {"audience", kAudience}, {"expirationSeconds", kTokenSeconds}};
  json::array sources{{{"serviceAccountToken", std::move(token)}}};
  return {{{"name", kTlsVolume},
           {"secret", {{"secretName", SecretName(key)}, {"items", std::move(items)}}}},
          {{"name", kTokenVolume}, {"projected", {{"sources", std::move(sources)}}}},
          // Where its front and its server of /metrics meet.
          {{"name", "krypton-proxy-tmp"}, {"emptyDir", {{"sizeLimit", "1Mi"}}}}};
}

}  // namespace krypton::kube
