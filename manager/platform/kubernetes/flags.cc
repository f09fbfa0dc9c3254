#include "manager/platform/kubernetes/flags.h"

#include "common/config/flags.h"

namespace krypton::platform {

void AddKubernetesFlags(config::Flags& flags, KubernetesSettings* settings) {
  flags.Add(&settings->kubeconfig, "kubeconfig",
            "the cluster, in kubectl's form; empty: the one that this process runs in", "PATH");
  flags.Add(&settings->watch_namespaces, "watch-namespaces",
            "whose agents and models are run; empty: all", "NAME,...");
  flags.Add(&settings->name_space, "namespace",
            "of the Lease that elects the leader; empty: this pod's", "NAME");
  flags.Add(&settings->pod_name, "pod-name", "of this manager; empty: the host's name", "NAME");
  flags.Add(&settings->advertise_address, "advertise-address",
            "where others reach this manager's gRPC server while it leads", "HOST:PORT");
  flags.Add(&settings->lease.name, "lease-name", "of the Lease that elects the leader", "NAME");
  flags.Add(&settings->lease.lease_duration, "lease-duration",
            "others wait so long after the leader's last sign");
  flags.Add(&settings->lease.renew_deadline, "lease-renew-deadline",
            "the leader that cannot renew its Lease for so long stops");
  flags.Add(&settings->lease.retry_period, "lease-retry-period",
            "between two attempts at the Lease");
  flags.Add(&settings->objects.proxy_image, "proxy-image", "of the sidecar", "IMAGE");
  flags.AddChoice(&settings->objects.proxy_image_pull_policy, "proxy-image-pull-policy",
                  {"Always", "IfNotPresent", "Never"}, "when nodes pull the sidecar's image");
  flags.Add(&settings->objects.manager_address, "manager-service", "where sidecars reach a manager",
            "HOST:PORT");
  flags.Add(&settings->sidecar_ca_cert, "sidecar-ca-cert",
            "certificate of the authority that signs the sidecars' certificates", "PATH");
  flags.Add(&settings->sidecar_ca_key, "sidecar-ca-key", "its key", "PATH");
  flags.Add(&settings->certificate_lifetime, "sidecar-certificate-lifetime",
            "of the sidecars' certificates; they are renewed when a third of it is left");
  flags.Add(&settings->api_qps, "kube-api-qps", "requests a second to the API server");
  flags.Add(&settings->api_burst, "kube-api-burst", "requests to the API server at once");
}

}  // namespace krypton::platform
