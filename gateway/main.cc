// krypton-gateway: carries the users' traffic to agents and models.
#include <cstdio>
#include <optional>
#include <string>

#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/log/log.h"
#include "gateway/server.h"

namespace {

void AddFlags(krypton::config::Flags& flags, krypton::gateway::ServerSettings* settings) {
  flags.Add(&settings->manager_address, "manager-address", "the manager's gRPC server",
            "HOST:PORT");
  flags.Add(&settings->http_bind_address, "http-bind-address", "where clients call", "HOST:PORT");
  flags.Add(&settings->grpc_bind_address, "grpc-bind-address", "where GatewayService answers",
            "HOST:PORT");
  flags.Add(&settings->metrics_bind_address, "metrics-bind-address",
            "where /metrics, /healthz, /readyz, /version and the routes as JSON answer",
            "HOST:PORT");
  flags.Add(&settings->max_buffer_per_agent, "max-buffer-per-agent",
            "calls that may wait for one agent's replicas");
  flags.Add(&settings->max_sessions_per_agent, "max-sessions-per-agent",
            "sessions of one agent whose replica is remembered");
  flags.Add(&settings->default_startup_timeout, "default-startup-timeout",
            "how long a call waits for a replica where spec.startupTimeout is not set");
  flags.Add(&settings->model_scan_bytes, "model-scan-bytes",
            "how far into a body the key \"model\" is looked for");
  flags.Add(&settings->model_scan_memory_bytes, "model-scan-memory-bytes",
            "what all requests may hold of bodies that name their model late");
  flags.Add(&settings->model_body_rate, "model-body-rate",
            "bytes a second of a request's body below which a model's client is too slow, when it "
            "has kept 20 s waiting; 0: only --body-timeout counts");
  flags.Add(&settings->max_hops, "max-hops", "gateways that a call may pass");
  flags.Add(&settings->trusted_proxies, "trusted-proxies",
            "peers whose X-Forwarded-* fields are believed", "CIDR,...");
  flags.Add(&settings->drain_delay, "drain-delay",
            "how long to serve on after SIGTERM, while load balancers learn");
  flags.Add(&settings->drain_timeout, "drain-timeout",
            "how long calls in flight may take to finish after that");
  flags.Add(&settings->threads, "threads", "that carry traffic; 0: one a CPU");
  flags.Add(&settings->max_connections, "max-connections", "of clients, at most");
  flags.Add(&settings->header_timeout, "header-timeout",
            "how long a client may take to send the head of a request");
  flags.Add(&settings->body_timeout, "body-timeout",
            "how long a client may pause within the body of a request");
  flags.Add(&settings->ready_file, "ready-file", "write the bound addresses here, as JSON", "PATH");
  krypton::rpc::AddTlsFlags(flags, &settings->tls);
}

}  // namespace

int main(int argc, char** argv) {
  krypton::gateway::ServerSettings settings;
  krypton::log::LogSettings log_settings{.component = "gateway"};

  krypton::config::Flags flags("krypton-gateway",
                               "Carries the users' traffic to agents and models.");
  AddFlags(flags, &settings);
  krypton::log::AddFlags(flags, &log_settings);
  if (const std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;

  if (const absl::Status status = krypton::log::Init(log_settings); !status.ok()) {
    std::fprintf(stderr, "krypton-gateway: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  krypton::log::Configuration(flags);
  krypton::config::Process process;
  krypton::gateway::Server server(std::move(settings));
  const int exit_code = process.Run([&] { return server.Start(); }, [&] { return server.Stop(); });
  krypton::log::Shutdown();
  return exit_code;
}
