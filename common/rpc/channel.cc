#include "common/rpc/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/rpc/callback_threads.h"
#include "common/rpc/grpc_log.h"

namespace krypton::rpc {
namespace {

// What the servers send: registry chunks of 1 MiB, pages of 100 items.
constexpr int kMaxReceiveBytes = 16 << 20;

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  // A peer that vanished is noticed within 30 s (conventions §6).
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  // Despite its name this is how long one attempt to connect may take. A pod that is gone answers
  // nothing, and a connection that a Service has sent its way is not sent another: only a new
  // attempt is. TCP repeats what was lost once in that time, after 1 s.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // The environment's http_proxy is not for calls inside the mesh.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const std::string& target,
                                                       const TlsSettings& tls) {
  RedirectGrpcLog();
  KeepCallbackThreads();
  auto credentials = ClientCredentials(tls);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments = Arguments();
  if (tls.enabled() && !tls.server_name.empty()) {
    arguments.SetSslTargetNameOverride(tls.server_name);
  }
  return grpc::CreateCustomChannel(target, *credentials, arguments);
}

void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  context.set_deadline(std::chrono::system_clock::now() + timeout);
}

}  // namespace krypton::rpc
