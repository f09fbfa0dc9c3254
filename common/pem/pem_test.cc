#include "common/pem/pem.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/rpc/testing/certificates.h"
#include "common/testing/temp_folder.h"

namespace krypton::pem {
namespace {

class PemTest : public testing::Test {
 protected:
  ~PemTest() override { EXPECT_EQ(ERR_peek_error(), 0u) << "an error is left for somebody else"; }

  const rpc::TestCertificate one_ = rpc::MakeTestCertificate({.common_name = "one"});
  const rpc::TestCertificate two_ = rpc::MakeTestCertificate({.common_name = "two"});
};

TEST_F(PemTest, AChainIsReadInOrderWhateverIsAround) {
  const auto chain = ParseCertificates("first\n" + one_.cert + "and\n" + two_.cert + "last");
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_TRUE(BelongTogether(chain[0], ParseKey(one_.key)));
  EXPECT_TRUE(BelongTogether(chain[1], ParseKey(one_.key + two_.key)) == false);
  EXPECT_TRUE(BelongTogether(chain[1], ParseKey(two_.key)));
  EXPECT_GT(ExpiryOf(chain[0]), std::chrono::system_clock::now());
}

TEST_F(PemTest, WhatIsNoPemIsNothing) {
  EXPECT_TRUE(ParseCertificates("").empty());
  EXPECT_TRUE(ParseCertificates(one_.key).empty());
  EXPECT_TRUE(ParseCertificates(one_.cert.substr(0, one_.cert.size() / 2)).empty());
  EXPECT_EQ(ParseKey(""), nullptr);
  EXPECT_EQ(ParseKey(one_.cert), nullptr);
}

TEST_F(PemTest, AKeyWithAPasswordIsNotAskedFor) {
  const Key key = ParseKey(one_.key);
  const std::string closed = ToText([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                    const_cast<char*>("secret"));
  });
  ASSERT_FALSE(closed.empty());
  EXPECT_EQ(ParseKey(closed), nullptr);
}

TEST_F(PemTest, AFileIsReadWholeOrNamed) {
  const std::string path = testing::TempDir() + "/pem_test.crt";
  std::ofstream(path) << one_.cert;
  EXPECT_EQ(ReadFile(path).value(), one_.cert);
  std::ofstream(path, std::ios::trunc);
  for (const std::string& bad : {path, path + ".not-there", testing::TempDir()}) {
    const absl::Status status = ReadFile(bad).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find(bad), std::string::npos) << status;
  }
  std::remove(path.c_str());
}

TEST_F(PemTest, AFileIsBehindLinksOfAKubeletAndNeverAPipeOrWithoutABound) {
  const TempFolder temp;
  const std::string& folder = temp.path();
  std::filesystem::create_directory(folder + "/..2024");
  std::ofstream(folder + "/..2024/tls.crt") << one_.cert;
  std::filesystem::create_symlink("..2024", folder + "/..data");
  std::filesystem::create_symlink("..data/tls.crt", folder + "/tls.crt");
  EXPECT_EQ(ReadFile(folder + "/tls.crt").value(), one_.cert);

  ASSERT_EQ(mkfifo((folder + "/pipe").c_str(), 0600), 0);
  std::ofstream(folder + "/large") << std::string((1 << 20) + 1, 'x');
  for (const char* bad : {"/pipe", "/large"}) {
    const absl::Status status = ReadFile(folder + bad).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
}

}  // namespace
}  // namespace krypton::pem
