// What the local platform can be told. Each flag of the manager that begins with `--manifests`,
// `--state-dir`, ... sets one of these (flags.cc).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace krypton::platform {

struct LocalSettings {
  // Folders of manifests, or single files.
  std::vector<std::string> manifests;
  // Everything that must survive the manager: identities, replicas, logs.
  std::string state_dir = "/var/lib/krypton";
  // Without a slash: beside the manager's own program, or in PATH.
  std::string proxy_binary = "krypton-proxy";
  std::string supervisor_binary = "krypton-supervisor";
  // Where sidecars report: the manager's gRPC address.
  std::string manager_address;
  // How agents are reached from outside: KRYPTON_PUBLIC_URL begins with it.
  std::string gateway_url = "http://127.0.0.1:8080";
  // More flags for each sidecar, such as --tls-cert.
  std::vector<std::string> proxy_flags;

  // Without a manager for so long, a replica drains and ends.
  std::chrono::milliseconds orphan_timeout = std::chrono::seconds(30);
  // The longest that a drain may take, whatever spec.timeout says.
  std::chrono::milliseconds max_drain = std::chrono::minutes(10);
  // From SIGTERM to SIGKILL.
  std::chrono::milliseconds stop_timeout = std::chrono::seconds(5);
  // Of one log file of a replica; the one before it is kept beside.
  int64_t replica_log_bytes = 4 << 20;

  // A replica that fails is tried again after 1 s, then twice as long each time: Kubernetes' way.
  std::chrono::milliseconds first_backoff = std::chrono::seconds(1);
  std::chrono::milliseconds max_backoff = std::chrono::seconds(60);
  // Ready for so long, and its failures are forgotten.
  std::chrono::milliseconds stable_after = std::chrono::seconds(60);
};

}  // namespace krypton::platform
