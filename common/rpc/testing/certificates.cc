#include "common/rpc/testing/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <utility>

namespace krypton::rpc {
namespace {

template <typename Write>
std::string ToPem(const Write& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

void Extend(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void SetSubject(X509* certificate, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
}

}  // namespace

TestCertificate MakeTestCertificate(const TestCertificateOptions& options,
                                    const TestCertificate* issuer) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  int64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 7);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial & 0x7fffffffffffff);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86'400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.valid_for.count());
  X509_set_pubkey(certificate, key);
  SetSubject(certificate, options.common_name);

  X509* issuer_certificate = certificate;
  EVP_PKEY* issuer_key = key;
  if (issuer != nullptr) {
    BIO* bio = BIO_new_mem_buf(issuer->cert.data(), static_cast<int>(issuer->cert.size()));
    issuer_certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = BIO_new_mem_buf(issuer->key.data(), static_cast<int>(issuer->key.size()));
    issuer_key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
  }
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate));
  Extend(certificate, issuer_certificate, NID_basic_constraints,
         options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!options.alternative_names.empty()) {
    Extend(certificate, issuer_certificate, NID_subject_alt_name, options.alternative_names);
  }
  X509_sign(certificate, issuer_key, EVP_sha256());

  TestCertificate made;
  made.cert = ToPem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  made.key = ToPem(
      [&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
  if (issuer != nullptr) {
    X509_free(issuer_certificate);
    EVP_PKEY_free(issuer_key);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

void WriteTestCertificate(const std::string& path, const TestCertificate& certificate) {
  std::ofstream(path + ".crt") << certificate.cert;
  std::ofstream(path + ".key") << certificate.key;
}

}  // namespace krypton::rpc
