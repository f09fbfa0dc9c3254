// What the Kubernetes platform is told by flags (flags.cc).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "manager/platform/kubernetes/client/leader_elector.h"
#include "manager/platform/kubernetes/objects/settings.h"

namespace krypton::platform {

struct KubernetesSettings {
  // Empty: the pod's service account.
  std::string kubeconfig;
  // Of agents and models; empty: all.
  std::vector<std::string> watch_namespaces;
  // Of the Lease; empty: the service account's.
  std::string name_space;
  // This manager among several; empty: the host's name.
  std::string pod_name;
  // Where others reach this manager's gRPC server when it leads.
  std::string advertise_address;
  // Name and times. Its other fields are filled from the above.
  kube::LeaseSettings lease;
  kube::ObjectSettings objects;
  // PEM files of the authority that signs the sidecars' certificates.
  std::string sidecar_ca_cert;
  std::string sidecar_ca_key;
  // Renewed when a third of it is left.
  std::chrono::milliseconds certificate_lifetime = std::chrono::hours(24 * 90);
  // client-go's defaults are 5 and 10; operators commonly take these.
  double api_qps = 20;
  int api_burst = 30;
  // Keys that are reconciled at once.
  int workers = 4;
  // For an API server that does not answer, when the process ends: once for what is being written,
  // once for the Lease. The chart's grace leaves room for both.
  std::chrono::milliseconds stop_patience{3'000};
};

}  // namespace krypton::platform
