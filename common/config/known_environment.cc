#include "common/config/known_environment.h"

#include <algorithm>
#include <array>

namespace krypton::config {
namespace {

// Held against the binaries' --help by integration/mesh/test_flags.py.
constexpr auto kKnown = std::to_array<std::string_view>({
    // Read by getenv, or set for others; no flags.
    "KRYPTON_BINARY_DIR",
    "KRYPTON_CACHE_DIR",
    "KRYPTON_DRAIN_TOKEN",
    "KRYPTON_GOOGLEAPIS_DIR",
    "KRYPTON_GRPCURL",
    "KRYPTON_JOBS",
    "KRYPTON_PUBLIC_URL",
    "KRYPTON_SOURCE_DIR",
    // Flags.
    "KRYPTON_ADVERTISE_ADDRESS",
    "KRYPTON_AGENT_ADDRESS",
    "KRYPTON_BODY_TIMEOUT",
    "KRYPTON_CLUSTER",
    "KRYPTON_CONCURRENCY",
    "KRYPTON_CONTROL_PLANE",
    "KRYPTON_DATA",
    "KRYPTON_DEFAULT_STARTUP_TIMEOUT",
    "KRYPTON_DRAIN_DELAY",
    "KRYPTON_DRAIN_TIMEOUT",
    "KRYPTON_ENABLE_SCALER",
    "KRYPTON_FOLLOW",
    "KRYPTON_GATEWAY",
    "KRYPTON_GATEWAY_URL",
    "KRYPTON_GRPC_BIND_ADDRESS",
    "KRYPTON_HEADER",
    "KRYPTON_HEADER_TIMEOUT",
    "KRYPTON_HOST",
    "KRYPTON_HTTP_BIND_ADDRESS",
    "KRYPTON_INCLUDE",
    "KRYPTON_INSTANCE",
    "KRYPTON_KIND",
    "KRYPTON_KUBECONFIG",
    "KRYPTON_KUBE_API_BURST",
    "KRYPTON_KUBE_API_QPS",
    "KRYPTON_LEASE_DURATION",
    "KRYPTON_LEASE_NAME",
    "KRYPTON_LEASE_RENEW_DEADLINE",
    "KRYPTON_LEASE_RETRY_PERIOD",
    "KRYPTON_LIMIT",
    "KRYPTON_LOG_FORMAT",
    "KRYPTON_LOG_LEVEL",
    "KRYPTON_MANAGER_ADDRESS",
    "KRYPTON_MANAGER_SERVICE",
    "KRYPTON_MANIFESTS",
    "KRYPTON_MAX_BUFFER_PER_AGENT",
    "KRYPTON_MAX_CONNECTIONS",
    "KRYPTON_MAX_DRAIN_TIME",
    "KRYPTON_MAX_HOPS",
    "KRYPTON_MAX_SESSIONS_PER_AGENT",
    "KRYPTON_MAX_STREAMS",
    "KRYPTON_METHOD",
    "KRYPTON_METRICS_BIND_ADDRESS",
    "KRYPTON_MODEL_BODY_RATE",
    "KRYPTON_MODEL_SCAN_BYTES",
    "KRYPTON_MODEL_SCAN_MEMORY_BYTES",
    "KRYPTON_NAME",
    "KRYPTON_NAMESPACE",
    "KRYPTON_ORPHAN_TIMEOUT",
    "KRYPTON_OUTPUT",
    "KRYPTON_PATH",
    "KRYPTON_PLAIN",
    "KRYPTON_PLATFORM",
    "KRYPTON_POD_NAME",
    "KRYPTON_PORT_BASE",
    "KRYPTON_PREFIX",
    "KRYPTON_PROBE_INTERVAL",
    "KRYPTON_PROXY_BINARY",
    "KRYPTON_PROXY_IMAGE",
    "KRYPTON_PROXY_IMAGE_PULL_POLICY",
    "KRYPTON_PUBLIC_URL",
    "KRYPTON_READY_FILE",
    "KRYPTON_READY_PATH",
    "KRYPTON_REPLICA_LOG_BYTES",
    "KRYPTON_SCALER_INTERVAL",
    "KRYPTON_SCALER_STABLE_WINDOW",
    "KRYPTON_SCALER_TARGET_UTILIZATION",
    "KRYPTON_SIDECAR_CA_CERT",
    "KRYPTON_SIDECAR_CA_KEY",
    "KRYPTON_SIDECAR_CERTIFICATE_LIFETIME",
    "KRYPTON_STATE_DIR",
    "KRYPTON_SUPERVISOR_BINARY",
    "KRYPTON_TAIL",
    "KRYPTON_THREADS",
    "KRYPTON_TIMEOUT",
    "KRYPTON_TLS_CA",
    "KRYPTON_TLS_CERT",
    "KRYPTON_TLS_KEY",
    "KRYPTON_TLS_SERVER_NAME",
    "KRYPTON_TOKEN_FILE",
    "KRYPTON_TRUSTED_PROXIES",
    "KRYPTON_WATCH",
    "KRYPTON_WATCH_NAMESPACES",
});

// As Kubernetes writes the variables of a Service: NAME_SERVICE_HOST, NAME_PORT=tcp://...,
// NAME_PORT_8080_TCP_ADDR.
bool IsOfService(std::string_view variable) {
  for (const std::string_view part : {"_SERVICE_HOST", "_SERVICE_PORT"}) {
    if (variable.find(part) != std::string_view::npos) return true;
  }
  if (variable.ends_with("_PORT")) return true;
  const size_t port = variable.find("_PORT_");
  return port != std::string_view::npos && port + 6 < variable.size() &&
         variable[port + 6] >= '0' && variable[port + 6] <= '9';
}

}  // namespace

bool IsKnownEnvironment(std::string_view variable) {
  if (variable.starts_with("KRYPTON_TEST_")) return true;
  return std::find(kKnown.begin(), kKnown.end(), variable) != kKnown.end() || IsOfService(variable);
}

}  // namespace krypton::config
