// krypton-manager: holds the registry, runs the replicas, scales them.
#include <memory>
#include <optional>
#include <string>

#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/log/log.h"
#include "common/metrics/registry.h"
#include "manager/manager.h"
#include "manager/platform/kubernetes/flags.h"
#include "manager/platform/kubernetes/kubernetes_platform.h"
#include "manager/platform/local/flags.h"
#include "manager/platform/local/local_platform.h"

namespace {

using krypton::manager::ManagerSettings;
using krypton::platform::KubernetesSettings;
using krypton::platform::LocalSettings;

void AddFlags(krypton::config::Flags& flags, ManagerSettings* settings) {
  flags.Add(&settings->grpc_bind_address, "grpc-bind-address",
            "where gateways, sidecars and the control plane reach the manager", "HOST:PORT");
  flags.Add(&settings->metrics_bind_address, "metrics-bind-address",
            "where /metrics, health and the registry as JSON are served", "HOST:PORT");
  flags.Add(&settings->ready_file, "ready-file",
            "written with the addresses once all of them are bound", "PATH");
  flags.Add(&settings->enable_scaler, "enable-scaler",
            "scale by load; without it everything runs at its lowest number of replicas");
  flags.Add(&settings->scaler_interval, "scaler-interval", "between two looks at all load");
  flags.Add(&settings->policy.stable_window, "scaler-stable-window",
            "replicas go down only to the most that was wanted within this time");
  flags.Add(&settings->policy.target_utilization, "scaler-target-utilization",
            "part of a replica's concurrency that is meant to be used, above 0 and up to 1");
  krypton::rpc::AddTlsFlags(flags, &settings->tls);
}

// Sidecars on this machine show the certificate that the manager has.
void SetProxyFlags(const krypton::rpc::TlsSettings& tls, LocalSettings& local) {
  if (!tls.enabled()) return;
  local.proxy_flags = {"--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca};
}

// Called once it is known where the manager's gRPC server is.
krypton::manager::PlatformFactory ChoosePlatform(const std::string& name, LocalSettings local,
                                                 KubernetesSettings kubernetes,
                                                 krypton::metrics::Registry& metrics) {
  if (name == "kubernetes") {
    kubernetes.objects.gateway_url = local.gateway_url;
    return [kubernetes, &metrics](const krypton::config::HostPort& manager_address) mutable {
      if (kubernetes.advertise_address.empty()) {
        kubernetes.advertise_address = krypton::config::ToString(manager_address);
      }
      return krypton::platform::NewKubernetesPlatform(kubernetes, metrics);
    };
  }
  return [local](const krypton::config::HostPort& manager_address) mutable {
    local.manager_address = krypton::config::ToString(manager_address);
    return krypton::platform::NewLocalPlatform(local);
  };
}

}  // namespace

int main(int argc, char** argv) {
  ManagerSettings settings;
  LocalSettings local;
  local.state_dir = "/var/lib/krypton";
  KubernetesSettings kubernetes;
  krypton::log::LogSettings log_settings;
  log_settings.component = "manager";
  std::string platform = "local";

  krypton::config::Flags flags("krypton-manager",
                               "Holds the registry of agents and models, runs their replicas and "
                               "scales them.");
  flags.AddChoice(&platform, "platform", {"local", "kubernetes"}, "what runs the replicas");
  AddFlags(flags, &settings);
  krypton::platform::AddLocalFlags(flags, &local);
  krypton::platform::AddKubernetesFlags(flags, &kubernetes);
  krypton::log::AddFlags(flags, &log_settings);
  if (const std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;

  krypton::config::Process process;
  auto metrics = std::make_shared<krypton::metrics::Registry>("manager");
  settings.gateway_url = local.gateway_url;
  SetProxyFlags(settings.tls, local);
  krypton::manager::Manager manager(settings, ChoosePlatform(platform, local, kubernetes, *metrics),
                                    metrics);
  return process.Run(
      [&] {
        const absl::Status logging = krypton::log::Init(log_settings);
        if (!logging.ok()) return logging;
        krypton::log::Configuration(flags);
        return manager.Start();
      },
      [&] { return manager.Stop(); });
}
