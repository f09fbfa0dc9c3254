#include "manager/platform/kubernetes/client/config.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/config/address.h"
#include "common/pem/pem.h"

namespace krypton::kube {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A kubeconfig, whose lists are looked through by name.
class Kubeconfig {
 public:
  Kubeconfig(YAML::Node root, std::string path) : root_(std::move(root)), path_(std::move(path)) {}

  absl::StatusOr<Config> Read() const;

 private:
  absl::Status Wrong(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", std::string(what)));
  }
  // The entry `name` of list `list`: what its `field` holds.
  absl::StatusOr<YAML::Node> Find(const char* list, const char* field,
                                  const std::string& name) const;
  absl::Status ReadCluster(const YAML::Node& cluster, Config& config) const;
  absl::Status ReadUser(const YAML::Node& user, Config& config) const;
  absl::Status ReadServer(const std::string& server, Config& config) const;
  absl::StatusOr<Material> ReadMaterial(const YAML::Node& node, const std::string& key) const;
  std::string Resolve(const std::string& file) const {
    return (std::filesystem::path(path_).parent_path() / file).string();
  }

  const YAML::Node root_;
  const std::string path_;
};

std::string Text(const YAML::Node& node, const std::string& key) {
  return node[key].IsDefined() && node[key].IsScalar() ? node[key].as<std::string>() : "";
}

absl::StatusOr<YAML::Node> Kubeconfig::Find(const char* list, const char* field,
                                            const std::string& name) const {
  for (const YAML::Node& entry : root_[list]) {
    if (Text(entry, "name") == name && entry[field].IsMap()) return entry[field];
  }
  return Wrong(absl::StrCat(list, " has no \"", name, "\""));
}

absl::StatusOr<Config> Kubeconfig::Read() const {
  const std::string current = Text(root_, "current-context");
  if (current.empty()) return Wrong("current-context is not set");
  const auto context = Find("contexts", "context", current);
  if (!context.ok()) return context.status();
  const auto cluster = Find("clusters", "cluster", Text(*context, "cluster"));
  if (!cluster.ok()) return cluster.status();
  const auto user = Find("users", "user", Text(*context, "user"));
  if (!user.ok()) return user.status();
  Config config;
  if (const std::string name = Text(*context, "namespace"); !name.empty()) config.name_space = name;
  if (absl::Status status = ReadCluster(*cluster, config); !status.ok()) return status;
  if (absl::Status status = ReadUser(*user, config); !status.ok()) return status;
  return config;
}

absl::Status Kubeconfig::ReadCluster(const YAML::Node& cluster, Config& config) const {
  const std::string insecure = Text(cluster, "insecure-skip-tls-verify");
  if (!insecure.empty() && insecure != "false") {
    return Wrong("insecure-skip-tls-verify is not supported: the server's certificate counts");
  }
  if (!Text(cluster, "proxy-url").empty()) return Wrong("proxy-url is not supported");
  config.tls_server_name = Text(cluster, "tls-server-name");
  auto ca = ReadMaterial(cluster, "certificate-authority");
  if (!ca.ok()) return ca.status();
  config.ca = *std::move(ca);
  return ReadServer(Text(cluster, "server"), config);
}

absl::Status Kubeconfig::ReadServer(const std::string& server, Config& config) const {
  absl::string_view rest = server;
  if (!absl::ConsumePrefix(&rest, "https://")) {
    return Wrong(absl::StrCat("server \"", server, "\" is not https://HOST[:PORT][/PATH]"));
  }
  const size_t slash = rest.find('/');
  std::string authority(rest.substr(0, slash));
  if (slash != absl::string_view::npos) {
    config.path_prefix = std::string(absl::StripSuffix(rest.substr(slash), "/"));
  }
  const size_t colon = authority.rfind(':');
  if (colon == std::string::npos || authority.back() == ']') authority += ":443";
  const auto address = config::ParseHostPort(authority);
  if (!address.ok() || address->host.empty()) {
    return Wrong(absl::StrCat("server \"", server, "\" has no valid host and port"));
  }
  config.host = address->host;
  config.port = address->port;
  return absl::OkStatus();
}

absl::Status Kubeconfig::ReadUser(const YAML::Node& user, Config& config) const {
  for (const char* key : {"exec", "auth-provider", "username", "password"}) {
    if (user[key].IsDefined()) {
      return Wrong(absl::StrCat("the user's ", key,
                                " is not supported: give a token or a client "
                                "certificate"));
    }
  }
  auto cert = ReadMaterial(user, "client-certificate");
  if (!cert.ok()) return cert.status();
  auto key = ReadMaterial(user, "client-key");
  if (!key.ok()) return key.status();
  if (cert->empty() != key->empty()) {
    return Wrong("client-certificate and client-key belong together");
  }
  config.client_cert = *std::move(cert);
  config.client_key = *std::move(key);
  // As in client-go, a token in a file wins, because it is fresher.
  const std::string file = Text(user, "tokenFile");
  if (!file.empty()) {
    config.token.file = Resolve(file);
  } else {
    config.token.data = Text(user, "token");
  }
  return absl::OkStatus();
}

// `key`-data in base64 wins over the file `key`.
absl::StatusOr<Material> Kubeconfig::ReadMaterial(const YAML::Node& node,
                                                  const std::string& key) const {
  Material material;
  if (const std::string encoded = Text(node, key + "-data"); !encoded.empty()) {
    if (!absl::Base64Unescape(encoded, &material.data)) {
      return Wrong(absl::StrCat(key, "-data is not base64"));
    }
  } else if (const std::string file = Text(node, key); !file.empty()) {
    material.file = Resolve(file);
  }
  return material;
}

}  // namespace

absl::StatusOr<std::string> Material::Read() const {
  if (file.empty()) return data;
  absl::StatusOr<std::string> content = pem::ReadFile(file);
  if (!content.ok()) return content.status();
  absl::StripTrailingAsciiWhitespace(&*content);
  if (content->empty()) return absl::FailedPreconditionError(absl::StrCat(file, " is empty"));
  return content;
}

absl::StatusOr<Config> InClusterConfig(const std::string& folder) {
  Config config;
  config.host = Variable("KUBERNETES_SERVICE_HOST");
  if (config.host.empty() || !absl::SimpleAtoi(Variable("KUBERNETES_SERVICE_PORT"), &config.port)) {
    return absl::FailedPreconditionError(
        "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give "
        "--kubeconfig");
  }
  config.token.file = folder + "/token";
  config.ca.file = folder + "/ca.crt";
  for (const Material* material : {&config.token, &config.ca}) {
    if (const auto read = material->Read(); !read.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the pod's service account is not mounted: ", std::string(read.status().message())));
    }
  }
  const Material name_space = {.data = {}, .file = folder + "/namespace"};
  if (auto name = name_space.Read(); name.ok()) config.name_space = *std::move(name);
  return config;
}

absl::StatusOr<Config> KubeconfigFile(const std::string& path) {
  auto content = pem::ReadFile(path);
  if (!content.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("kubeconfig: ", std::string(content.status().message())));
  }
  try {
    return Kubeconfig(YAML::Load(*content), path).Read();
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
}

absl::StatusOr<Config> LoadConfig(const std::string& kubeconfig) {
  return kubeconfig.empty() ? InClusterConfig() : KubeconfigFile(kubeconfig);
}

}  // namespace krypton::kube
