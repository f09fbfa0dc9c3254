#include "manager/platform/kubernetes/objects/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "common/resource/key.h"
#include "common/rpc/testing/certificates.h"

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

class CertificateTest : public testing::Test {
 protected:
  CertificateTest()
      : made_(rpc::MakeTestCertificate({.common_name = "ca", .authority = true})),
        ca_(ReadCertificate(made_.cert)) {
    rpc::WriteTestCertificate(folder_ + "/ca", made_);
  }

  // Tests run beside one another.
  static std::string MakeFolder() {
    std::string folder = testing::TempDir() + "/krypton-certificates-XXXXXX";
    return mkdtemp(folder.data());
  }
  ~CertificateTest() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = MakeFolder();
  const std::string certificate_file_ = folder_ + "/ca.crt";
  const std::string key_file_ = folder_ + "/ca.key";
  const rpc::TestCertificate made_;
  const X509Ptr ca_;
};

TEST_F(CertificateTest, ASidecarsCertificateIsGoodForClientsOnlyAndForItsTime) {
  const auto authority = CertificateAuthority::Load(certificate_file_, key_file_);
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto now = Clock::now();
  const auto issued = authority->Issue(AgentKey("default", "echo"), now, std::chrono::minutes(30));
  ASSERT_TRUE(issued.ok()) << issued.status();
  const X509Ptr certificate = ReadCertificate(issued->certificate);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(ca_.get())), 1);
  EXPECT_EQ(X509_check_issued(ca_.get(), certificate.get()), X509_V_OK);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_CLIENT, 0), 1);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_SERVER, 0), 0);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), 0);
  EXPECT_NEAR(std::chrono::duration<double>(issued->expires - now).count(), 30 * 60, 2);
  const Bio bio(BIO_new_mem_buf(issued->key.data(), -1), BIO_free);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);
  EXPECT_THAT(issued->authority, HasSubstr("BEGIN CERTIFICATE"));
}

TEST_F(CertificateTest, NoCertificateOutlivesItsAuthority) {
  const auto authority = CertificateAuthority::Load(certificate_file_, key_file_);
  const auto issued =
      authority->Issue(AgentKey("default", "echo"), Clock::now(), std::chrono::hours(24 * 1000));
  EXPECT_LT(issued->expires, Clock::now() + std::chrono::hours(2));
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
  const std::string path = folder_ + "/other.key";
  rpc::WriteTestCertificate(folder_ + "/other", rpc::MakeTestCertificate({.authority = true}));
  const auto mixed = CertificateAuthority::Load(certificate_file_, path);
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr("is not the key of"));
  const auto missing = CertificateAuthority::Load(folder_ + "/none", key_file_);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/none"));
  const auto swapped = CertificateAuthority::Load(key_file_, certificate_file_);
  EXPECT_THAT(std::string(swapped.status().message()), HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace krypton::kube
