// krypton-proxy: the sidecar in front of one replica.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/log/log.h"
#include "common/rpc/tls.h"
#include "proxy/proxy.h"

int main(int argc, char** argv) {
  using krypton::proxy::ProxySettings;
  ProxySettings settings;
  krypton::log::LogSettings log_settings{.component = "proxy"};

  krypton::config::Flags flags("krypton-proxy",
                               "Stands in front of one replica: limits, drains and reports it.");
  flags.Add(&settings.http_bind_address, "http-bind-address", "where the gateway calls",
            "HOST:PORT");
  flags.Add(&settings.metrics_bind_address, "metrics-bind-address",
            "where /metrics, /healthz, /readyz, /version and /drain answer", "HOST:PORT");
  flags.Add(&settings.agent_address, "agent-address", "where the agent listens", "HOST:PORT");
  flags.AddChoice(&settings.kind, "kind", {"agent", "model"}, "what the replica is one of");
  flags.Add(&settings.agent_namespace, "namespace", "of the agent or model", "NAME");
  flags.Add(&settings.name, "name", "of the agent or model", "NAME");
  flags.Add(&settings.instance, "instance", "identity of this replica, unique for ever", "ID");
  flags.Add(&settings.concurrency, "concurrency", "requests in flight at the agent, at most");
  flags.Add(&settings.max_streams, "max-streams", "streams open to the agent, at most");
  flags.Add(&settings.timeout, "timeout", "how long the agent may take to answer");
  flags.Add(&settings.manager_address, "manager-address", "the manager's gRPC server, for reports",
            "HOST:PORT");
  flags.Add(&settings.drain_timeout, "drain-timeout",
            "how long requests in flight may take to finish when the replica ends");
  flags.Add(&settings.probe_interval, "probe-interval",
            "between two attempts to reach an agent that starts");
  flags.Add(&settings.ready_path, "ready-path",
            "the agent is ready once a GET of this path is answered by 2xx; empty: once its port "
            "is open, and a model once /health is",
            "PATH");
  flags.Add(&settings.ready_file, "ready-file", "write the bound addresses here, as JSON", "PATH");
  flags.Add(&settings.threads, "threads", "that carry traffic");
  flags.DescribeEnvironment("KRYPTON_DRAIN_TOKEN", "what /drain demands in krypton-drain-token");
  flags.Add(&settings.token_file, "token-file",
            "a token that proves to the manager which pod this is; read again for each load stream",
            "FILE");
  krypton::rpc::AddTlsFlags(flags, &settings.tls);
  krypton::log::AddFlags(flags, &log_settings);
  if (const std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;
  if (const char* token = std::getenv("KRYPTON_DRAIN_TOKEN")) settings.drain_token = token;

  if (const absl::Status status = krypton::log::Init(log_settings); !status.ok()) {
    std::fprintf(stderr, "krypton-proxy: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  krypton::log::Configuration(flags);
  krypton::config::Process process;
  krypton::proxy::Proxy proxy(std::move(settings));
  const int exit_code = process.Run([&] { return proxy.Start(); }, [&] { return proxy.Stop(); });
  krypton::log::Shutdown();
  return exit_code;
}
