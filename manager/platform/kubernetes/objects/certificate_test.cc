#include "manager/platform/kubernetes/objects/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <memory>
#include <string>

#include "common/resource/key.h"

namespace krypton::kube {
namespace {

using resource::AgentKey;
using testing::HasSubstr;
using Clock = std::chrono::system_clock;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

X509Ptr ReadCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return {PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free};
}

// An authority as the chart makes one: an RSA key that signs itself.
class CertificateTest : public testing::Test {
 protected:
  CertificateTest() : key_(EVP_RSA_gen(2048), EVP_PKEY_free), ca_(X509_new(), X509_free) {
    X509_set_version(ca_.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(ca_.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(ca_.get()), 24L * 3600 * 365);
    X509_set_pubkey(ca_.get(), key_.get());
    const auto* name = reinterpret_cast<const unsigned char*>("krypton-ca");
    X509_NAME_add_entry_by_txt(X509_get_subject_name(ca_.get()), "CN", MBSTRING_ASC, name, -1, -1,
                               0);
    X509_set_issuer_name(ca_.get(), X509_get_subject_name(ca_.get()));
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca_.get(), ca_.get(), nullptr, nullptr, 0);
    for (const auto& [id, value] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                    std::pair{NID_subject_key_identifier, "hash"}}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
      X509_add_ext(ca_.get(), extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(ca_.get(), key_.get(), EVP_sha256());
    folder_ = testing::TempDir();
    certificate_file_ = folder_ + "/ca.crt";
    key_file_ = folder_ + "/ca.key";
    Write(certificate_file_, [&](BIO* bio) { PEM_write_bio_X509(bio, ca_.get()); });
    Write(key_file_, [&](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

  template <typename Fill>
  static void Write(const std::string& path, Fill fill) {
    const Bio bio(BIO_new_file(path.c_str(), "w"), BIO_free);
    fill(bio.get());
  }

  KeyPtr key_;
  X509Ptr ca_;
  std::string folder_;
  std::string certificate_file_;
  std::string key_file_;
};

TEST_F(CertificateTest, ASidecarsCertificateIsGoodForClientsOnlyAndForItsTime) {
  const auto authority = CertificateAuthority::Load(certificate_file_, key_file_);
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto now = Clock::now();
  const auto issued = authority->Issue(AgentKey("default", "echo"), now, std::chrono::hours(24));
  ASSERT_TRUE(issued.ok()) << issued.status();
  const X509Ptr certificate = ReadCertificate(issued->certificate);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), key_.get()), 1);
  EXPECT_EQ(X509_check_issued(ca_.get(), certificate.get()), X509_V_OK);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_CLIENT, 0), 1);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_SERVER, 0), 0);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), 0);
  EXPECT_NEAR(std::chrono::duration<double>(issued->expires - now).count(), 24 * 3600, 2);
  const Bio bio(BIO_new_mem_buf(issued->key.data(), -1), BIO_free);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);
  EXPECT_THAT(issued->authority, HasSubstr("BEGIN CERTIFICATE"));
}

TEST_F(CertificateTest, NoCertificateOutlivesItsAuthority) {
  const auto authority = CertificateAuthority::Load(certificate_file_, key_file_);
  const auto issued =
      authority->Issue(AgentKey("default", "echo"), Clock::now(), std::chrono::hours(24 * 1000));
  EXPECT_LT(issued->expires, Clock::now() + std::chrono::hours(24 * 366));
}

TEST_F(CertificateTest, DrainTokensAreStableAndTellResourcesApart) {
  const auto authority = CertificateAuthority::Load(certificate_file_, key_file_);
  const auto again = CertificateAuthority::Load(certificate_file_, key_file_);
  const std::string token = authority->DrainToken(AgentKey("default", "echo"), "u1");
  EXPECT_EQ(token.size(), 64u);
  EXPECT_EQ(token, again->DrainToken(AgentKey("default", "echo"), "u1"));
  EXPECT_NE(token, authority->DrainToken(AgentKey("default", "echo"), "u2"));
  EXPECT_NE(token, authority->DrainToken(AgentKey("other", "echo"), "u1"));
  EXPECT_NE(token, authority->DrainToken(resource::ModelKey("default", "echo"), "u1"));
}

TEST_F(CertificateTest, FilesThatDoNotBelongTogetherAreRefused) {
  const KeyPtr other(EVP_RSA_gen(2048), EVP_PKEY_free);
  const std::string path = folder_ + "/other.key";
  Write(path, [&](BIO* bio) {
    PEM_write_bio_PrivateKey(bio, other.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  const auto mixed = CertificateAuthority::Load(certificate_file_, path);
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr("is not the key of"));
  const auto missing = CertificateAuthority::Load(folder_ + "/none", key_file_);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/none"));
  const auto swapped = CertificateAuthority::Load(key_file_, certificate_file_);
  EXPECT_THAT(std::string(swapped.status().message()), HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace krypton::kube
