#include "common/rpc/tls.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "common/config/flags.h"
#include "common/rpc/certificate_files.h"

namespace krypton::rpc {
namespace {

namespace tls = grpc::experimental;

// How often gRPC reads what CertificateFiles has found good.
constexpr unsigned kRefreshSeconds = 1;

// One provider, and so one thread of gRPC's, for each set of files; it lives as long as the
// process.
absl::StatusOr<std::shared_ptr<tls::CertificateProviderInterface>> Provider(
    const TlsSettings& settings) {
  const auto files = CertificateFiles::Open(settings);
  if (!files.ok()) return files.status();
  using Providers = std::map<CertificateFiles*, std::shared_ptr<tls::CertificateProviderInterface>>;
  static std::mutex mutex;
  static auto* const providers = new Providers;
  const std::lock_guard lock(mutex);
  auto& provider = (*providers)[*files];
  if (provider == nullptr) {
    provider = std::make_shared<tls::FileWatcherCertificateProvider>(
        (*files)->identity_path(), (*files)->identity_path(), (*files)->authorities_path(),
        kRefreshSeconds);
  }
  return provider;
}

prometheus::ClientMetric Sample(const char* label, const char* value) {
  prometheus::ClientMetric metric;
  metric.label.push_back({label, value});
  return metric;
}

class TlsCollector : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::MetricFamily expiry{"krypton_tls_certificate_expiry_timestamp_seconds",
                                    "When this process's certificate, and its authority, end.",
                                    prometheus::MetricType::Gauge,
                                    {}};
    prometheus::MetricFamily reloads{"krypton_tls_reloads_total",
                                     "Changes of certificate files that were taken over or not.",
                                     prometheus::MetricType::Counter,
                                     {}};
    const auto seconds = [](std::chrono::system_clock::time_point time) {
      return std::chrono::duration<double>(time.time_since_epoch()).count();
    };
    // A process has one set of files.
    for (const CertificateFiles* files : CertificateFiles::All()) {
      expiry.metric = {Sample("file", "cert"), Sample("file", "ca")};
      expiry.metric[0].gauge.value = seconds(files->certificate_expiry());
      expiry.metric[1].gauge.value = seconds(files->authority_expiry());
      reloads.metric = {Sample("result", "ok"), Sample("result", "failed")};
      reloads.metric[0].counter.value = static_cast<double>(files->reloads());
      reloads.metric[1].counter.value = static_cast<double>(files->failures());
    }
    if (expiry.metric.empty()) return {};
    return {std::move(expiry), std::move(reloads)};
  }
};

}  // namespace

void AddTlsFlags(config::Flags& flags, TlsSettings* settings) {
  flags.Add(&settings->cert, "tls-cert",
            "this process's certificate (PEM); with --tls-key and --tls-ca, gRPC demands mutual "
            "TLS as server and uses it as client",
            "FILE");
  flags.Add(&settings->key, "tls-key", "key of --tls-cert (PEM)", "FILE");
  flags.Add(&settings->ca, "tls-ca", "the authority that every peer's certificate must be of (PEM)",
            "FILE");
  flags.Add(&settings->server_name, "tls-server-name",
            "the name that a gRPC server's certificate must carry; empty: the one that is dialled",
            "NAME");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(
    const TlsSettings& settings) {
  if (!settings.enabled()) return grpc::InsecureServerCredentials();
  const auto provider = Provider(settings);
  if (!provider.ok()) return provider.status();
  tls::TlsServerCredentialsOptions options(*provider);
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(
    const TlsSettings& settings) {
  if (!settings.enabled()) return grpc::InsecureChannelCredentials();
  const auto provider = Provider(settings);
  if (!provider.ok()) return provider.status();
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(*provider);
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  return tls::TlsCredentials(options);
}

std::vector<std::string> PeerNames(const grpc::AuthContext& context) {
  std::vector<std::string> names;
  for (const char* property : {"x509_subject_alternative_name", "x509_common_name"}) {
    for (const grpc::string_ref& value : context.FindPropertyValues(property)) {
      names.emplace_back(value.data(), value.size());
    }
  }
  return names;
}

std::shared_ptr<prometheus::Collectable> TlsMetrics() { return std::make_shared<TlsCollector>(); }

}  // namespace krypton::rpc
