// Mutual TLS between Krypton's processes: one certificate, key and authority for a process, used by
// its gRPC server and by its clients. Without them, gRPC speaks plaintext. The files are read again
// within two seconds of a change (certificate_files.h); connections that stand are left alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc {
class AuthContext;
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc
namespace krypton::config {
class Flags;
}
namespace prometheus {
class Collectable;
}

namespace krypton::rpc {

// Paths of PEM files; all three or none.
struct TlsSettings {
  std::string cert;
  std::string key;
  std::string ca;
  // The name that a server's certificate must carry, where servers are addressed by something else
  // (a pod's IP); empty: the name or address that is dialled.
  std::string server_name = {};

  bool enabled() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// Declares --tls-cert, --tls-key, --tls-ca, --tls-server-name.
void AddTlsFlags(config::Flags& flags, TlsSettings* settings);

// A server that demands a certificate of `ca`; the files are read again when they change.
// kInvalidArgument when one of the three is missing or cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsSettings& tls);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(const TlsSettings& tls);

// The names in the certificate that a caller has shown: its DNS alternative names, and its common
// name. Empty without TLS.
std::vector<std::string> PeerNames(const grpc::AuthContext& context);

// krypton_tls_certificate_expiry_timestamp_seconds{file} and krypton_tls_reloads_total{result} of
// the files that this process uses; nothing without TLS. For metrics::Registry::Add.
std::shared_ptr<prometheus::Collectable> TlsMetrics();

}  // namespace krypton::rpc
