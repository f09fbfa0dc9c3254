#include "common/rpc/tls.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "common/rpc/certificate_files.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/testing/certificates.h"
#include "common/testing/wait_for.h"
#include "krypton/v1/manager.grpc.pb.h"
#include "krypton/v1/registry.grpc.pb.h"

namespace krypton::rpc {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A service with a stream that says something when it is told to.
class Registry : public v1::RegistryService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override {
    const std::lock_guard lock(mutex_);
    return stream_ = new Stream;
  }
  bool Say() {
    const std::lock_guard lock(mutex_);
    if (stream_ == nullptr) return false;
    stream_->StartWrite(&message_);
    return true;
  }

 private:
  struct Stream : grpc::ServerWriteReactor<v1::WatchResponse> {
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };

  std::mutex mutex_;
  Stream* stream_ = nullptr;
  v1::WatchResponse message_;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest()
      : folder_(testing::TempDir() + "tls_test." + std::to_string(getpid()) + "." +
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(folder_);
    Make("mesh", {});
    settings_.tls = Files("mesh");
  }
  ~TlsTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& file) const { return folder_ + "/" + file; }
  std::string Read(const std::string& file) const {
    std::ifstream stream(Path(file));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // An authority of `name`'s own and what it signs: NAME.crt, NAME.key, and NAME-ca.crt.
  void Make(const std::string& name, const TestCertificateOptions& options) const {
    const TestCertificate authority =
        MakeTestCertificate({.common_name = name + "-ca", .authority = true});
    WriteTestCertificate(Path(name + "-ca"), authority);
    WriteTestCertificate(Path(name), MakeTestCertificate(options, &authority));
  }
  TlsSettings Files(const std::string& name) const {
    return {Path(name + ".crt"), Path(name + ".key"), Path("mesh-ca.crt")};
  }
  static grpc::StatusCode Call(const std::string& address, const TlsSettings& tls) {
    const auto channel = Connect(address, tls);
    EXPECT_TRUE(channel.ok()) << channel.status();
    grpc::ClientContext context;
    SetTimeout(context, 10s);
    v1::ListDecisionsResponse response;
    return v1::ManagerService::NewStub(*channel)
        ->ListDecisions(&context, {}, &response)
        .error_code();
  }
  // Returns the address.
  std::string Serve() {
    server_.emplace(settings_, std::vector<grpc::Service*>{&manager_, &registry_});
    const auto address = server_->Start();
    EXPECT_TRUE(address.ok()) << address.status();
    return config::ToString(*address);
  }

  // The service has no methods: whoever gets through hears that.
  static constexpr auto kThrough = grpc::StatusCode::UNIMPLEMENTED;
  static constexpr auto kRefused = grpc::StatusCode::UNAVAILABLE;

  const std::string folder_;
  Server::Settings settings_;
  v1::ManagerService::CallbackService manager_;
  Registry registry_;
  std::optional<Server> server_;
};

TEST_F(TlsTest, OnlyAPeerOfTheAuthorityGetsThrough) {
  Make("stranger", {});
  const std::string target = Serve();
  EXPECT_EQ(Call(target, Files("mesh")), kThrough);
  EXPECT_EQ(Call(target, Files("stranger")), kRefused);
  EXPECT_EQ(Call(target, {}), kRefused);
}

TEST_F(TlsTest, AStrangeServerIsNotSpokenTo) {
  Make("stranger", {});
  settings_.tls = Files("stranger");
  EXPECT_EQ(Call(Serve(), Files("mesh")), kRefused);
}

TEST_F(TlsTest, WhatHasExpiredIsRefusedOnBothSides) {
  const TestCertificate authority = {Read("mesh-ca.crt"), Read("mesh-ca.key")};
  WriteTestCertificate(Path("old"), MakeTestCertificate({.valid_for = -10s}, &authority));
  EXPECT_EQ(Call(Serve(), Files("old")), kRefused);
  server_.reset();
  settings_.tls = Files("old");
  EXPECT_EQ(Call(Serve(), Files("mesh")), kRefused);
}

TEST_F(TlsTest, TheServersNameCounts) {
  Make("mesh", {.common_name = "krypton-manager",
                .alternative_names = "DNS:krypton-manager.krypton-system.svc"});
  const std::string target = Serve();
  TlsSettings tls = Files("mesh");
  EXPECT_EQ(Call(target, tls), kRefused);
  tls.server_name = "krypton-manager.krypton-system.svc";
  EXPECT_EQ(Call(target, tls), kThrough);
  tls.server_name = "krypton-gateway.krypton-system.svc";
  EXPECT_EQ(Call(target, tls), kRefused);
}

TEST_F(TlsTest, AMissingFlagOrFileIsNamed) {
  TlsSettings tls = Files("mesh");
  tls.key.clear();
  EXPECT_NE(ServerCredentials(tls).status().message().find("--tls-key"), absl::string_view::npos);
  tls.key = Path("none.key");
  const auto status = ClientCredentials(tls).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("none.key"), absl::string_view::npos) << status;
  Make("other", {});
  tls.key = Path("other.key");
  EXPECT_NE(ClientCredentials(tls).status().message().find("is not the key"),
            absl::string_view::npos);
  tls.key = Path("mesh.crt");
  EXPECT_NE(ClientCredentials(tls).status().message().find("holds no PEM key"),
            absl::string_view::npos);
}

// As the kubelet turns a projected Secret: the folder behind a link is another one.
TEST_F(TlsTest, CertificatesAreTurnedUnderAnOpenStream) {
  for (const char* version : {"v1", "v2"}) {
    Make("turned", {});
    fs::create_directory(Path(version));
    for (const auto& [from, to] :
         {std::pair("turned.crt", "tls.crt"), std::pair("turned.key", "tls.key"),
          std::pair("turned-ca.crt", "ca.crt")}) {
      fs::rename(Path(from), Path(std::string(version) + "/" + to));
    }
  }
  const auto files = [this](const std::string& in) {
    return TlsSettings{Path(in + "/tls.crt"), Path(in + "/tls.key"), Path(in + "/ca.crt")};
  };
  fs::create_directory_symlink("v1", Path("data"));
  settings_.tls = files("data");
  const std::string target = Serve();
  EXPECT_EQ(Call(target, files("v1")), kThrough);
  EXPECT_EQ(Call(target, files("v2")), kRefused);

  const auto channel = Connect(target, files("data"));
  grpc::ClientContext context;
  SetTimeout(context, 60s);
  const auto stub = v1::RegistryService::NewStub(*channel);
  const auto stream = stub->Watch(&context, {});
  ASSERT_TRUE(WaitFor([this] { return registry_.Say(); }));
  v1::WatchResponse message;
  ASSERT_TRUE(stream->Read(&message));

  fs::create_directory_symlink("v2", Path("data.new"));
  fs::rename(Path("data.new"), Path("data"));
  EXPECT_TRUE(WaitFor([&] { return Call(target, files("v2")) == kThrough; }));
  EXPECT_EQ(Call(target, files("v1")), kRefused);
  // Clients turn to the new ones as well, and what stood goes on standing.
  EXPECT_TRUE(WaitFor([&] { return Call(target, files("data")) == kThrough; }));
  ASSERT_TRUE(registry_.Say());
  EXPECT_TRUE(stream->Read(&message));
  context.TryCancel();
  (void)stream->Finish();
}

TEST_F(TlsTest, AHalfWrittenPairLeavesTheLastGoodOne) {
  const std::string target = Serve();
  const auto files = CertificateFiles::Open(Files("mesh"));
  ASSERT_TRUE(files.ok());
  ASSERT_EQ(Call(target, Files("mesh")), kThrough);
  const auto expiry = (*files)->certificate_expiry();
  const TestCertificate authority = MakeTestCertificate({.authority = true});
  const TestCertificate next = MakeTestCertificate({.valid_for = 7200s}, &authority);
  std::ofstream(Path("mesh.crt")) << next.cert;
  (*files)->Look();
  EXPECT_GE((*files)->failures(), 1u);
  EXPECT_EQ((*files)->certificate_expiry(), expiry);
  EXPECT_EQ(Call(target, Files("mesh")), kThrough);
  std::ofstream(Path("mesh.key")) << next.key.substr(0, 40);
  (*files)->Look();
  EXPECT_EQ((*files)->reloads(), 0u);
  std::ofstream(Path("mesh.key")) << next.key;
  std::ofstream(Path("mesh-ca.crt")) << authority.cert;
  (*files)->Look();
  EXPECT_GE((*files)->reloads(), 1u);
  EXPECT_GT((*files)->certificate_expiry(), expiry + 1h - 1min);
  EXPECT_TRUE(WaitFor([&] { return Call(target, Files("mesh")) == kThrough; }));
}

TEST_F(TlsTest, TheEndOfCertificatesIsASeries) {
  Make("soon", {.valid_for = 100s});
  const auto files = CertificateFiles::Open(Files("soon"));
  ASSERT_TRUE(files.ok());
  const auto left = (*files)->certificate_expiry() - std::chrono::system_clock::now();
  EXPECT_LT(left, 101s);
  EXPECT_GT(left, 80s);
  const auto families = TlsMetrics()->Collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[0].name, "krypton_tls_certificate_expiry_timestamp_seconds");
  EXPECT_EQ(families[0].metric.size(), 2u);
}

}  // namespace
}  // namespace krypton::rpc
