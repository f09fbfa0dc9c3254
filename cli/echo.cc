#include "cli/echo.h"

#include <chrono>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "common/config/flags.h"
#include "common/config/process.h"
#include "common/http/server.h"

namespace krypton::cli {
namespace {

// More of a body is not held; the answer is an error then.
constexpr size_t kMaxBody = 1 << 20;
constexpr std::chrono::seconds kDrainTimeout{25};

// The request, as it came.
http::Task<void> Echo(http::Exchange& exchange) {
  const auto body = co_await exchange.HoldBody(kMaxBody);
  if (!body.ok()) {
    http::Error error = exchange.BodyError();
    co_await exchange.RespondError(error);
    co_return;
  }
  const http::RequestHead& head = exchange.request();
  std::string text = absl::StrCat(std::string(head.method), " ", std::string(head.target), "\n");
  for (const http::Field& field : head.fields) {
    absl::StrAppend(&text, std::string(field.name), ": ", std::string(field.value), "\n");
  }
  absl::StrAppend(&text, "\n", std::string(*body));
  const std::vector<http::Field> fields = {{"Content-Type", "text/plain; charset=utf-8"}};
  co_await exchange.Respond(200, fields, text);
}

std::string BindAddress(const EchoOptions& options) {
  if (!options.bind_address.empty()) return options.bind_address;
  const char* port = getenv("PORT");
  return absl::StrCat(":", port != nullptr && *port != '\0' ? port : "8080");
}

}  // namespace

void AddEcho(config::Flags& flags, EchoOptions* options) {
  flags.Add(&options->bind_address, "bind-address",
            "where it listens; without it the port of the variable PORT, else 8080", "HOST:PORT");
}

int RunEcho(const EchoOptions& options) {
  http::Workers workers(1, "echo");
  http::Server server(workers, {.bind_address = BindAddress(options)}, Echo);
  config::Process process;
  const int status = process.Run(
      [&] {
        workers.Start();
        const auto bound = server.Start();
        if (!bound.ok()) return bound.status();
        Print("listening on " + *bound + "\n");
        return absl::OkStatus();
      },
      [&] {
        const auto now = std::chrono::steady_clock::now();
        server.Drain(now + kDrainTimeout, now + kDrainTimeout + std::chrono::seconds(1));
        return absl::OkStatus();
      });
  server.Stop();
  workers.Stop();
  return status;
}

}  // namespace krypton::cli
