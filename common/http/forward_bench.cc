// The front alone, as a reverse proxy: what the gateway costs without the gateway. For measurements
// (bench/) and for trying things by hand:
//
//   krypton_http_bench LISTEN_ADDRESS UPSTREAM_ADDRESS [WORKERS]
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "common/http/client.h"
#include "common/http/forward.h"
#include "common/http/server.h"
#include "common/http/workers.h"

namespace krypton::http {
namespace {

Task<void> Serve(Exchange& exchange, Client& client, Endpoint upstream) {
  ForwardPlan plan;
  plan.endpoint = upstream;
  plan.as_gateway = true;
  plan.deadline = exchange.worker().Now() + milliseconds(60'000);
  const ForwardResult result = co_await Forward(exchange, client, plan);
  if (result.status == 0 && result.end != ForwardEnd::kClientGone) {
    co_await exchange.RespondError(ErrorCode::kAgentUnreachable, "no answer");
  }
}

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s LISTEN_ADDRESS UPSTREAM_ADDRESS [WORKERS]\n", argv[0]);
    return 2;
  }
  const absl::StatusOr<Endpoint> upstream = Endpoint::Parse(argv[2]);
  if (!upstream.ok()) {
    std::fprintf(stderr, "%s\n", upstream.status().ToString().c_str());
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Workers workers(argc > 3 ? std::atoi(argv[3]) : 1);
  workers.Start();
  Client client(workers);
  ServerSettings settings;
  settings.bind_address = argv[1];
  Server server(workers, settings,
                [&](Exchange& exchange) { return Serve(exchange, client, *upstream); });
  const absl::StatusOr<std::string> address = server.Start();
  if (!address.ok()) {
    std::fprintf(stderr, "%s\n", address.status().ToString().c_str());
    return 1;
  }
  std::printf("%s\n", address->c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server.Drain(Clock::now() + milliseconds(5'000), Clock::now() + milliseconds(6'000));
  client.Close();
  workers.Stop();
  return 0;
}

}  // namespace
}  // namespace krypton::http

int main(int argc, char** argv) { return krypton::http::Main(argc, argv); }
