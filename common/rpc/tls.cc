#include "common/rpc/tls.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "common/config/flags.h"

namespace krypton::rpc {
namespace {

namespace tls = grpc::experimental;

// How soon a renewed certificate is noticed.
constexpr unsigned kRefreshSeconds = 60;

absl::Status Check(const TlsSettings& settings) {
  for (const auto& [flag, path] :
       {std::pair("--tls-cert", &settings.cert), std::pair("--tls-key", &settings.key),
        std::pair("--tls-ca", &settings.ca)}) {
    if (path->empty()) {
      return absl::InvalidArgumentError(std::string(flag) +
                                        " is missing: mutual TLS needs --tls-cert, --tls-key and "
                                        "--tls-ca");
    }
    if (std::ifstream(*path).peek() == std::ifstream::traits_type::eof()) {
      return absl::InvalidArgumentError(std::string(flag) + ": cannot read " + *path);
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<tls::CertificateProviderInterface> Watch(const TlsSettings& settings) {
  return std::make_shared<tls::FileWatcherCertificateProvider>(settings.key, settings.cert,
                                                               settings.ca, kRefreshSeconds);
}

}  // namespace

void AddTlsFlags(config::Flags& flags, TlsSettings* settings) {
  flags.Add(&settings->cert, "tls-cert",
            "this process's certificate (PEM); with --tls-key and --tls-ca, gRPC demands mutual "
            "TLS as server and uses it as client",
            "FILE");
  flags.Add(&settings->key, "tls-key", "key of --tls-cert (PEM)", "FILE");
  flags.Add(&settings->ca, "tls-ca", "the authority that every peer's certificate must be of (PEM)",
            "FILE");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(
    const TlsSettings& settings) {
  if (!settings.enabled()) return grpc::InsecureServerCredentials();
  if (absl::Status status = Check(settings); !status.ok()) return status;
  tls::TlsServerCredentialsOptions options(Watch(settings));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(
    const TlsSettings& settings) {
  if (!settings.enabled()) return grpc::InsecureChannelCredentials();
  if (absl::Status status = Check(settings); !status.ok()) return status;
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(settings));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  return tls::TlsCredentials(options);
}

}  // namespace krypton::rpc
