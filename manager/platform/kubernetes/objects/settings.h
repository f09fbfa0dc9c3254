// What all objects have from the manager's flags. A value.
#pragma once

#include <string>

namespace krypton::kube {

struct ObjectSettings {
  std::string proxy_image;
  std::string proxy_image_pull_policy = "IfNotPresent";
  // Where sidecars report, and the name on the certificate that answers there.
  std::string manager_address;
  std::string tls_server_name;
  // How agents are called from outside: KRYPTON_PUBLIC_URL begins with it.
  std::string gateway_url;
  // Of each sidecar. Measured: 10 MiB at rest.
  std::string proxy_cpu_request = "10m";
  std::string proxy_memory_request = "24Mi";
  std::string proxy_memory_limit = "256Mi";
};

// Of the sidecar; spec.port may be neither (common/resource).
inline constexpr int kProxyPort = 8889;
inline constexpr int kMetricsPort = 8888;

}  // namespace krypton::kube
