// Client channels with the keepalive that long streams need (a peer that vanishes is noticed within
// 30 s), and with the size limits of our servers. Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/tls.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace krypton::rpc {

// A channel to `target` ("127.0.0.1:7070", "dns:///manager:7070"). Does not connect yet, and
// reconnects for ever, 50 ms to 5 s apart. Channels of one target do not share connections.
// kInvalidArgument for wrong TLS files.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const std::string& target,
                                                       const TlsSettings& tls);

// Every unary call has a deadline: sets `timeout` from now.
void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout);

}  // namespace krypton::rpc
