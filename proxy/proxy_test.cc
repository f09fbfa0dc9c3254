#include "proxy/proxy.h"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/testing/wait_for.h"
#include "krypton/v1/scaling.grpc.pb.h"
#include "proxy/testing/raw_socket.h"

namespace krypton::proxy {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::RawListener;
using testing::RawSocket;
using ::testing::StartsWith;

// The manager's side of the reports.
class Manager : public v1::LoadService::Service {
 public:
  Manager() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~Manager() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status Report(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::ReportResponse, v1::ReportRequest>* stream) override {
    v1::ReportRequest report;
    while (stream->Read(&report)) {
      const std::lock_guard lock(mutex_);
      for (const auto& replica : report.replicas()) last_ = replica;
      v1::ReportResponse response;
      response.set_acknowledged(report.sequence());
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  v1::ReplicaLoad last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  std::mutex mutex_;
  v1::ReplicaLoad last_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class ProxyTest : public ::testing::Test {
 protected:
  ProxySettings Settings() {
    return {.http_bind_address = "127.0.0.1:0",
            .metrics_bind_address = "127.0.0.1:0",
            .agent_address = agent_.address(),
            .name = "echo",
            .instance = "echo-1",
            .manager_address = manager_.address(),
            .drain_token = "secret"};
  }
  void Start(ProxySettings settings) {
    proxy_ = std::make_unique<Proxy>(std::move(settings));
    ASSERT_TRUE(proxy_->Start().ok());
    ASSERT_TRUE(WaitFor([&] { return manager_.last().state() == v1::ENDPOINT_STATE_READY; }));
  }
  // The agent's end of the next connection on which a request comes: probes only connect.
  RawSocket AcceptRequest() {
    for (;;) {
      RawSocket socket = agent_.Accept();
      if (!socket.ReadUntil("\r\n\r\n").empty()) return socket;
    }
  }
  // What a GET with these fields answers.
  static std::string Get(const std::string& address, const std::string& path,
                         const std::string& fields = "") {
    RawSocket caller = RawSocket::Connect(address);
    caller.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n", fields, "\r\n"));
    return caller.ReadAnswer();
  }

  Manager manager_;
  RawListener agent_;
  std::unique_ptr<Proxy> proxy_;
};

TEST_F(ProxyTest, ReportsWhereItListensAndThatTheAgentIsReady) {
  Start(Settings());
  const v1::ReplicaLoad load = manager_.last();
  EXPECT_EQ(load.key().kind(), v1::RESOURCE_KIND_AGENT);
  EXPECT_EQ(load.key().namespace_(), "default");
  EXPECT_EQ(load.instance(), "echo-1");
  EXPECT_THAT(proxy_->http_address(), EndsWith(absl::StrCat(":", load.port())));
  EXPECT_THAT(Get(proxy_->ops_address(), "/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(
      Get(proxy_->ops_address(), "/metrics"),
      AllOf(HasSubstr("krypton_proxy_inflight{agent=\"echo\",namespace=\"default\"} 0"),
            HasSubstr("reason=\"over_capacity\"} 0"), HasSubstr("krypton_proxy_report_connected")));
  EXPECT_TRUE(proxy_->Stop().ok());
}

TEST_F(ProxyTest, AModelIsReadyOnceItsHealthIs) {
  ProxySettings settings = Settings();
  settings.kind = "model";
  proxy_ = std::make_unique<Proxy>(std::move(settings));
  ASSERT_TRUE(proxy_->Start().ok());
  RawSocket loading = agent_.Accept();
  EXPECT_THAT(loading.ReadUntil("\r\n\r\n"), StartsWith("GET /health "));
  EXPECT_TRUE(WaitFor([&] { return manager_.last().state() == v1::ENDPOINT_STATE_STARTING; }));
  loading.Send("HTTP/1.1 503 Loading\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  RawSocket loaded = agent_.Accept();
  loaded.ReadUntil("\r\n\r\n");
  loaded.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(WaitFor([&] { return manager_.last().state() == v1::ENDPOINT_STATE_READY; }));
}

TEST_F(ProxyTest, DrainWaitsForTheRequestInFlightAndTellsTheManager) {
  Start(Settings());
  RawSocket caller = RawSocket::Connect(proxy_->http_address());
  caller.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  RawSocket agent = AcceptRequest();
  EXPECT_THAT(Get(proxy_->ops_address(), "/drain"), StartsWith("HTTP/1.1 403"));
  auto drained = std::async(std::launch::async, [&] {
    return Get(proxy_->ops_address(), "/drain", "Krypton-Drain-Token: secret\r\n");
  });
  EXPECT_TRUE(WaitFor([&] { return manager_.last().state() == v1::ENDPOINT_STATE_DRAINING; }));
  EXPECT_THAT(Get(proxy_->http_address(), "/"), HasSubstr("krypton-error: shutting_down"));
  EXPECT_THAT(Get(proxy_->ops_address(), "/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(drained.wait_for(milliseconds(0)), std::future_status::timeout);
  agent.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  EXPECT_THAT(caller.ReadAnswer(), EndsWith("done"));
  EXPECT_THAT(drained.get(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\"idle\":true")));
  EXPECT_TRUE(proxy_->Stop().ok());
}

TEST_F(ProxyTest, AnEventStreamEndsAtTheBoundaryOfAnEvent) {
  Start(Settings());
  RawSocket caller = RawSocket::Connect(proxy_->http_address());
  caller.Send("GET /events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
  RawSocket agent = AcceptRequest();
  agent.Send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: 1\n\n\r\n");
  caller.ReadUntil("data: 1\n\n");
  EXPECT_TRUE(proxy_->Stop().ok());
  EXPECT_THAT(caller.ReadUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
}

TEST_F(ProxyTest, AWebSocketEndsWithCloseGoingAway) {
  Start(Settings());
  RawSocket caller = RawSocket::Connect(proxy_->http_address());
  caller.Send(
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  RawSocket agent = AcceptRequest();
  agent.Send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  caller.ReadUntil("\r\n\r\n");
  EXPECT_TRUE(proxy_->Stop().ok());
  // RFC 6455 §5.5.1: FIN and opcode 8, unmasked from a server; status 1001 first.
  const std::string frame = caller.ReadUntil("\x03\xE9");
  ASSERT_GE(frame.size(), 4u);
  EXPECT_EQ(frame[0], '\x88');
}

TEST_F(ProxyTest, ARequestThatOutlivesTheDrainIsEndedByIt) {
  ProxySettings settings = Settings();
  settings.drain_timeout = milliseconds(50);
  Start(std::move(settings));
  RawSocket caller = RawSocket::Connect(proxy_->http_address());
  caller.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  RawSocket agent = AcceptRequest();
  EXPECT_TRUE(proxy_->Stop().ok());
  EXPECT_THAT(caller.ReadAnswer(), HasSubstr("krypton-error: "));
}

TEST_F(ProxyTest, WrongSettingsAndTakenPortsAreNamed) {
  ProxySettings nameless = Settings();
  nameless.name.clear();
  EXPECT_THAT(std::string(Proxy(nameless).Start().message()), HasSubstr("--name"));
  ProxySettings narrow = Settings();
  narrow.concurrency = 0;
  EXPECT_EQ(Proxy(narrow).Start().code(), absl::StatusCode::kInvalidArgument);
  ProxySettings taken = Settings();
  taken.http_bind_address = agent_.address();
  const absl::Status status = Proxy(taken).Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(agent_.address()));
}

}  // namespace
}  // namespace krypton::proxy
