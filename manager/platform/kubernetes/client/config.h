// Where the API server is and how we prove who we are: from the pod's service account, or from a
// kubeconfig. A value; any thread may read it. Whatever comes from a file is read again when it is
// used (a new connection, a token that is older than a minute), so that rotation needs no restart.
// There is no way to switch the verification of the server's certificate off.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace krypton::kube {

// PEM, or a token: given in place, or by a file. At most one of them is set; none: not there.
struct Material {
  std::string data;
  std::string file;

  bool empty() const { return data.empty() && file.empty(); }
  // kNotFound or kFailedPrecondition names the file that is missing or empty.
  absl::StatusOr<std::string> Read() const;
};

struct Config {
  std::string host;  // a name or an address, IPv6 without brackets
  int port = 443;
  std::string path_prefix;      // "/k8s/clusters/c1", when the API lives below a path
  std::string tls_server_name;  // the name that the certificate must carry; empty: `host`
  Material ca;                  // empty: the system's authorities
  Material client_cert;
  Material client_key;
  Material token;
  // Where this process lives: the service account's file, or the kubeconfig's context.
  std::string name_space = "default";
};

// Of a pod: KUBERNETES_SERVICE_HOST and _PORT, and `folder`'s token, ca.crt and namespace.
// kFailedPrecondition outside a cluster.
absl::StatusOr<Config> InClusterConfig(
    const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

// The current context of a kubeconfig (YAML or JSON); relative paths in it begin at its folder.
// kInvalidArgument names what is missing, and what is not supported: plain HTTP,
// insecure-skip-tls-verify, exec and auth-provider plugins, user names with passwords, proxies.
absl::StatusOr<Config> KubeconfigFile(const std::string& path);

// `kubeconfig` when it is named, else in-cluster.
absl::StatusOr<Config> LoadConfig(const std::string& kubeconfig);

}  // namespace krypton::kube
