// krypton-control-plane: answers what runs, how it does, and why.

#include <optional>

#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/log/log.h"
#include "controlplane/server.h"

int main(int argc, char** argv) {
  using namespace krypton;  // NOLINT(google-build-using-namespace)
  controlplane::Settings settings;
  log::LogSettings log_settings{.component = "control-plane"};

  config::Flags flags("krypton-control-plane",
                      "Answers what runs in the mesh, how it does, and why.");
  flags.Add(&settings.http_bind_address, "http-bind-address", "where REST is served", "HOST:PORT");
  flags.Add(&settings.grpc_bind_address, "grpc-bind-address", "where gRPC is served", "HOST:PORT");
  flags.Add(&settings.metrics_bind_address, "metrics-bind-address",
            "where metrics and health are served", "HOST:PORT");
  flags.Add(&settings.manager_address, "manager-address", "the manager's gRPC address",
            "HOST:PORT");
  flags.Add(&settings.gateway_url, "gateway-url",
            "where users call the gateway; empty: where the manager says", "URL");
  flags.Add(&settings.max_streams, "max-streams",
            "watches and log readers that may be open at once");
  flags.Add(&settings.ready_file, "ready-file", "written once all addresses are bound", "PATH");
  rpc::AddTlsFlags(flags, &settings.tls);
  log::AddFlags(flags, &log_settings);
  if (const std::optional<int> exit_code = flags.Parse(argc, argv)) return *exit_code;

  config::Process process;
  if (const absl::Status status = log::Init(log_settings); !status.ok()) {
    log::Error("wrong configuration", {{"error", status}});
    return 2;
  }
  log::Configuration(flags);
  controlplane::Server server(settings);
  const int exit_code = process.Run([&] { return server.Start(); }, [&] { return server.Stop(); });
  log::Shutdown();
  return exit_code;
}
