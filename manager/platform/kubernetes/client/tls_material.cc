#include "manager/platform/kubernetes/client/tls_material.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <vector>

#include "absl/strings/str_cat.h"

namespace krypton::kube {
namespace {

template <auto free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;

Bio Reader(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::vector<Certificate> ParseCertificates(const std::string& pem) {
  const Bio reader = Reader(pem);
  std::vector<Certificate> certificates;
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  ERR_clear_error();  // The end of the text counts as one.
  return certificates;
}

absl::Status Wrong(std::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("Kubernetes API: ", std::string(what)));
}

absl::Status SetAuthority(const Config& config, SSL_CTX* context) {
  if (config.ca.empty()) return absl::OkStatus();
  const auto pem = config.ca.Read();
  if (!pem.ok()) return pem.status();
  const std::vector<Certificate> authorities = ParseCertificates(*pem);
  if (authorities.empty()) return Wrong("the certificate authority is no PEM certificate");
  const Store store(X509_STORE_new());
  for (const Certificate& authority : authorities) {
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
  const std::vector<Certificate> chain = ParseCertificates(*cert_pem);
  const Key key(PEM_read_bio_PrivateKey(Reader(*key_pem).get(), nullptr, nullptr, nullptr));
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
