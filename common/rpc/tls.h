// Mutual TLS between Krypton's processes: one certificate, key and authority for a process, used by
// its gRPC server and by its clients. Without them, gRPC speaks plaintext.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc
namespace krypton::config {
class Flags;
}

namespace krypton::rpc {

// Paths of PEM files; all three or none.
struct TlsSettings {
  std::string cert;
  std::string key;
  std::string ca;

  bool enabled() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// Declares --tls-cert, --tls-key, --tls-ca.
void AddTlsFlags(config::Flags& flags, TlsSettings* settings);

// A server that demands a certificate of `ca`; the files are read again when they change.
// kInvalidArgument when one of the three is missing or cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsSettings& tls);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(const TlsSettings& tls);

}  // namespace krypton::rpc
