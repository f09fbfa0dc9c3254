#include "common/rpc/tls.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <filesystem>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "krypton/v1/manager.grpc.pb.h"

namespace krypton::rpc {
namespace {

using namespace std::chrono_literals;

// A key and a certificate that it signed itself, as PEM files `NAME.key` and `NAME.crt`.
void MakeCertificate(const std::string& path) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("krypton"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  for (const auto& [id, value] : {std::pair(NID_subject_alt_name, "IP:127.0.0.1"),
                                  std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());
  FILE* file = fopen((path + ".key").c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(file);
  file = fopen((path + ".crt").c_str(), "w");
  PEM_write_X509(file, certificate);
  fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : folder_(testing::TempDir() + "tls_test." + std::to_string(getpid())) {
    std::filesystem::create_directory(folder_);
    MakeCertificate(folder_ + "/mesh");
    MakeCertificate(folder_ + "/stranger");
    settings_.tls = Files("mesh");
  }
  ~TlsTest() override { std::filesystem::remove_all(folder_); }

  TlsSettings Files(const std::string& name) const {
    return {folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key", folder_ + "/mesh.crt"};
  }
  grpc::StatusCode Call(const std::string& address, const TlsSettings& tls) {
    const auto channel = Connect(address, tls);
    EXPECT_TRUE(channel.ok()) << channel.status();
    grpc::ClientContext context;
    SetTimeout(context, 10s);
    v1::ListDecisionsResponse response;
    return v1::ManagerService::NewStub(*channel)
        ->ListDecisions(&context, {}, &response)
        .error_code();
  }

  const std::string folder_;
  Server::Settings settings_;
  v1::ManagerService::CallbackService manager_;
};

TEST_F(TlsTest, OnlyAPeerOfTheAuthorityGetsThrough) {
  Server server(settings_, {&manager_});
  const auto address = server.Start();
  ASSERT_TRUE(address.ok()) << address.status();
  const std::string target = config::ToString(*address);
  // The service has no methods: whoever gets through hears that.
  EXPECT_EQ(Call(target, Files("mesh")), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Call(target, Files("stranger")), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(target, {}), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AMissingFlagOrFileIsNamed) {
  TlsSettings tls = Files("mesh");
  tls.key.clear();
  EXPECT_NE(ServerCredentials(tls).status().message().find("--tls-key"), absl::string_view::npos);
  tls.key = folder_ + "/none.key";
  const auto status = ClientCredentials(tls).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("none.key"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace krypton::rpc
