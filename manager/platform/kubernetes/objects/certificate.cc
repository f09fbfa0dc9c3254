#include "manager/platform/kubernetes/objects/certificate.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/pem/pem.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/objects/json.h"

namespace krypton::kube {
namespace {

using Extension = std::unique_ptr<X509_EXTENSION, pem::Freer<X509_EXTENSION_free>>;

constexpr std::chrono::minutes kClockSkew{5};

absl::Status OpenSslError(absl::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return absl::InternalError(absl::StrCat(what, ": ", text.data()));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::string> text = pem::ReadFile(path);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("the sidecars' authority: ", std::string(text.status().message())));
}

bool AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] &= 0x7f;  // Positive (RFC 5280 §4.1.2.2).
  BIGNUM* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  const bool ok = number != nullptr &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return ok;
}

}  // namespace

struct CertificateAuthority::Parts {
  pem::Certificate certificate;
  pem::Key key;
  std::string text;
  // What the drain tokens are made with.
  std::string key_pem;
  std::string fingerprint;
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)) {}
CertificateAuthority::~CertificateAuthority() = default;
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority& CertificateAuthority::operator=(CertificateAuthority&&) noexcept = default;

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(const std::string& certificate_file,
                                                                const std::string& key_file) {
  const absl::StatusOr<std::string> certificate = ReadFile(certificate_file);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadFile(key_file);
  if (!key.ok()) return key.status();
  auto parts = std::make_unique<Parts>();
  parts->text = *certificate;
  parts->key_pem = *key;
  parts->fingerprint = Fingerprint(std::string_view(*certificate));
  std::vector<pem::Certificate> chain = pem::ParseCertificates(*certificate);
  if (chain.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(certificate_file, " holds no certificate"));
  }
  parts->certificate = std::move(chain.front());
  parts->key = pem::ParseKey(*key);
  if (parts->key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(key_file, " holds no private key"));
  }
  if (!pem::BelongTogether(parts->certificate, parts->key)) {
    return absl::InvalidArgumentError(
        absl::StrCat(key_file, " is not the key of ", certificate_file));
  }
  return CertificateAuthority(std::move(parts));
}

absl::StatusOr<SidecarCertificate> CertificateAuthority::Issue(
    const v1::ResourceKey& resource, std::chrono::system_clock::time_point now,
    std::chrono::seconds lifetime) const {
  const pem::Key key(EVP_EC_gen("P-256"));
  const pem::Certificate certificate(X509_new());
  if (key == nullptr || certificate == nullptr) return OpenSslError("making a sidecar's key");
  X509* x509 = certificate.get();
  X509* issuer = parts_->certificate.get();
  const auto expires = std::min(now + lifetime, pem::ExpiryOf(parts_->certificate));
  if (expires <= now) {
    return absl::UnavailableError("the sidecars' authority has expired; renew it");
  }
  ASN1_TIME_set(X509_getm_notBefore(x509), std::chrono::system_clock::to_time_t(now - kClockSkew));
  ASN1_TIME_set(X509_getm_notAfter(x509), std::chrono::system_clock::to_time_t(expires));
  X509_set_version(x509, X509_VERSION_3);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer));
  X509_set_pubkey(x509, key.get());
  const auto* common_name = reinterpret_cast<const unsigned char*>("krypton-proxy");
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, common_name, -1, -1,
                             0);
  const std::string uri =
      absl::StrCat("URI:krypton://sidecar/", std::string(resource::KindWord(resource.kind())), "/",
                   resource.namespace_(), "/", resource.name());
  const bool extended = AddExtension(x509, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                        AddExtension(x509, issuer, NID_key_usage, "critical,digitalSignature") &&
                        AddExtension(x509, issuer, NID_ext_key_usage, "clientAuth") &&
                        AddExtension(x509, issuer, NID_subject_alt_name, uri) &&
                        AddExtension(x509, issuer, NID_subject_key_identifier, "hash") &&
                        // An authority that does not name its key cannot be referred to by it.
                        (X509_get0_subject_key_id(issuer) == nullptr ||
                         AddExtension(x509, issuer, NID_authority_key_identifier, "keyid"));
  if (!extended || !SetSerial(x509)) return OpenSslError("making a sidecar's certificate");
  // Keys of the Edwards curves name no digest.
  const bool edwards = EVP_PKEY_id(parts_->key.get()) == EVP_PKEY_ED25519;
  if (X509_sign(x509, parts_->key.get(), edwards ? nullptr : EVP_sha256()) == 0) {
    return OpenSslError("signing a sidecar's certificate");
  }
  SidecarCertificate issued;
  issued.certificate = pem::ToText([&](BIO* bio) { return PEM_write_bio_X509(bio, x509); });
  issued.key = pem::ToText([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  issued.authority = parts_->text;
  issued.expires = pem::ExpiryOf(certificate);
  return issued;
}

std::string CertificateAuthority::DrainToken(const v1::ResourceKey& key,
                                             const std::string& uid) const {
  const std::string text = absl::StrCat(std::string(resource::KindWord(key.kind())), "/",
                                        key.namespace_(), "/", key.name(), "/", uid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), parts_->key_pem.data(), static_cast<int>(parts_->key_pem.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

const std::string& CertificateAuthority::fingerprint() const { return parts_->fingerprint; }

}  // namespace krypton::kube
