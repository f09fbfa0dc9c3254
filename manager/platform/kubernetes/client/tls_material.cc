#include "manager/platform/kubernetes/client/tls_material.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/pem/pem.h"

namespace krypton::kube {
namespace {

using Store = std::unique_ptr<X509_STORE, pem::Freer<X509_STORE_free>>;

absl::Status Wrong(std::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("Kubernetes API: ", std::string(what)));
}

absl::Status SetAuthority(const Config& config, SSL_CTX* context) {
  if (config.ca.empty()) return absl::OkStatus();
  const auto text = config.ca.Read();
  if (!text.ok()) return text.status();
  const std::vector<pem::Certificate> authorities = pem::ParseCertificates(*text);
  if (authorities.empty()) return Wrong("the certificate authority is no PEM certificate");
  const Store store(X509_STORE_new());
  for (const pem::Certificate& authority : authorities) {
    X509_STORE_add_cert(store.get(), authority.get());
  }
  // An intermediate authority may be all that is given, as in Go.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  // Not the context's own store, to which cpp-httplib adds the system's authorities.
  SSL_CTX_set1_verify_cert_store(context, store.get());
  return absl::OkStatus();
}

absl::Status SetClientCertificate(const Config& config, SSL_CTX* context) {
  if (config.client_cert.empty()) return absl::OkStatus();
  const auto cert_pem = config.client_cert.Read();
  if (!cert_pem.ok()) return cert_pem.status();
  const auto key_pem = config.client_key.Read();
  if (!key_pem.ok()) return key_pem.status();
  const std::vector<pem::Certificate> chain = pem::ParseCertificates(*cert_pem);
  const pem::Key key = pem::ParseKey(*key_pem);
  if (chain.empty()) return Wrong("the client certificate is no PEM certificate");
  if (key == nullptr) return Wrong("the client key is no PEM key");
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    ERR_clear_error();
    return Wrong("the client certificate and its key do not belong together");
  }
  for (size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context, chain[i].get());
  return absl::OkStatus();
}

bool IsAddress(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

const std::string& ExpectedName(const Config& config) {
  return config.tls_server_name.empty() ? config.host : config.tls_server_name;
}

absl::Status SetUpTls(const Config& config, SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  X509_VERIFY_PARAM* const param = SSL_CTX_get0_param(context);
  const std::string& name = ExpectedName(config);
  X509_VERIFY_PARAM_set_hostflags(
      param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const int set = IsAddress(name) ? X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str())
                                  : X509_VERIFY_PARAM_set1_host(param, name.data(), name.size());
  if (set != 1) return Wrong(absl::StrCat("\"", name, "\" is no name that a certificate can have"));
  if (absl::Status status = SetAuthority(config, context); !status.ok()) return status;
  return SetClientCertificate(config, context);
}

}  // namespace krypton::kube
