#include "common/ops/server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include "common/ops/testing.h"
#include "common/rpc/server.h"
#include "common/transcode/transcoder.h"
#include "krypton/v1/manager.grpc.pb.h"

namespace krypton::ops {
namespace {

using testing::Connection;
using namespace std::chrono_literals;

// Streams one line for each ReadLogs, and then nothing until its client goes.
class FakeManager : public v1::ManagerService::CallbackService {
 public:
  class Reactor : public grpc::ServerWriteReactor<v1::ReadLogsResponse> {
   public:
    explicit Reactor(FakeManager& manager) : manager_(manager) {
      response_.add_lines("one");
      StartWrite(&response_);
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override {
      manager_.Changed(-1);
      delete this;
    }

   private:
    FakeManager& manager_;
    v1::ReadLogsResponse response_;
  };

  grpc::ServerWriteReactor<v1::ReadLogsResponse>* ReadLogs(grpc::CallbackServerContext*,
                                                           const v1::ReadLogsRequest*) override {
    Changed(1);
    return new Reactor(*this);
  }
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const v1::ListDecisionsRequest* request,
                                          v1::ListDecisionsResponse* response) override {
    response->add_records()->set_refusal(request->key().name());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  bool WaitForStreams(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return streams_ == count; });
  }
  void Changed(int by) {
    const std::lock_guard lock(mutex_);
    streams_ += by;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int streams_ = 0;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : rpc_({}, {&manager_}) {}

  void Start(Server::Settings settings = {}) {
    ASSERT_TRUE(rpc_.Start().ok());
    settings.component = "test";
    server_ = std::make_unique<Server>(settings, std::make_shared<metrics::Registry>("test"));
    server_->AddReadinessCheck("registry", [] { return absl::OkStatus(); });
    server_->Handle("GET", "/drain", [](const Request& request) {
      return Response{200, "text/plain", {}, request.header("krypton-drain-token")};
    });
    server_->AddTranscoder(std::make_shared<transcode::Transcoder>(
        rpc_.InProcessChannel(), std::vector<std::string>{"krypton.v1.ManagerService"}));
    const auto address = server_->Start();
    ASSERT_TRUE(address.ok()) << address.status();
    address_ = *address;
  }
  // The answer to one request on a connection of its own.
  std::string Call(const std::string& request_line, const std::string& fields = "",
                   const std::string& body = "") {
    Connection connection(config::ToString(address_));
    connection.Send(request_line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields +
                    "\r\n" + body);
    return connection.ReadAll();
  }

  FakeManager manager_;
  rpc::Server rpc_;
  std::unique_ptr<Server> server_;
  config::HostPort address_;
};

TEST_F(ServerTest, TheFourRoutesAnswer) {
  Start();
  const std::string metrics = Call("GET /metrics");
  EXPECT_TRUE(metrics.starts_with("HTTP/1.1 200 ")) << metrics;
  EXPECT_NE(metrics.find("text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(metrics.find("\nprocess_threads "), std::string::npos);
  EXPECT_NE(Call("GET /healthz").find("\r\n\r\nok\n"), std::string::npos);
  EXPECT_NE(Call("GET /readyz").find("[+]registry ok\n"), std::string::npos);
  EXPECT_NE(Call("GET /version").find("\"component\":\"test\""), std::string::npos);
}

TEST_F(ServerTest, HeadHasTheFieldsAndNoBody) {
  Start();
  const std::string head = Call("HEAD /healthz");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_TRUE(Call("HEAD /drain").starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, MetricsAreZippedOnlyWhenAsked) {
  Start();
  EXPECT_NE(Call("GET /metrics", "Accept-Encoding: gzip\r\n").find("Content-Encoding: gzip\r\n"),
            std::string::npos);
  EXPECT_EQ(Call("GET /metrics", "Accept-Encoding: br\r\n").find("Content-Encoding"),
            std::string::npos);
}

TEST_F(ServerTest, RpcsAnswerAsJson) {
  Start();
  const std::string answer = Call("GET /v1/decisions/default/echo?limit=3");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_NE(answer.find("\"refusal\":\"echo\""), std::string::npos) << answer;
  EXPECT_TRUE(Call("GET /nothing").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(Call("POST /v1/decisions/default/echo").starts_with("HTTP/1.1 501 "));
  EXPECT_TRUE(Call("DELETE /v1/decisions/default/echo").starts_with("HTTP/1.1 501 "));
  EXPECT_TRUE(Call("PROPFIND /v1/decisions/default/echo").starts_with("HTTP/1.1 501 "));
}

TEST_F(ServerTest, FieldsArriveAsSent) {
  Start();
  EXPECT_TRUE(Call("GET /drain", "krypton-drain-token: a%0D%0Ab%\r\n").ends_with("a%0D%0Ab%"));
}

TEST_F(ServerTest, AStreamComesPieceByPieceAndEndsWithItsClient) {
  Start();
  {
    Connection connection(config::ToString(address_));
    connection.Send("GET /v1/logs/default/echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = connection.ReadUntil("\"one\"");
    EXPECT_NE(answer.find("\"one\""), std::string::npos) << answer;
    EXPECT_TRUE(manager_.WaitForStreams(1));
  }
  EXPECT_TRUE(manager_.WaitForStreams(0));
}

TEST_F(ServerTest, StreamsNeverStarveMetrics) {
  Start({.threads = 4, .reserved_threads = 2});
  std::vector<std::unique_ptr<Connection>> streams;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(std::make_unique<Connection>(config::ToString(address_)));
    streams.back()->Send("GET /v1/logs/default/echo HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  int refused = 0;
  for (const auto& stream : streams) {
    refused += stream->ReadUntil("}").find("HTTP/1.1 503 ") == 0 ? 1 : 0;
  }
  EXPECT_EQ(refused, 6);
  EXPECT_TRUE(Call("GET /metrics").starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, DrippingAndGarbageNeverStarveMetrics) {
  Start({.threads = 2, .reserved_threads = 1});
  std::vector<std::unique_ptr<Connection>> strangers;
  for (int i = 0; i < 40; ++i) {
    strangers.push_back(std::make_unique<Connection>(config::ToString(address_)));
    strangers.back()->Send(i % 2 == 0 ? "GET /metr" : "\x16\x03\x01\x02garbage\r\n\r\n");
  }
  // Who asks for much and reads nothing holds no thread either.
  for (int i = 0; i < 40; ++i) {
    strangers.push_back(std::make_unique<Connection>(config::ToString(address_)));
    std::string requests;
    for (int n = 0; n < 200; ++n) requests += "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    strangers.back()->Send(requests);
  }
  for (int i = 0; i < 5; ++i) {
    const std::string answer = Call("GET /metrics");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  }
}

TEST_F(ServerTest, BodiesAreBounded) {
  Start({.max_body_bytes = 1000});
  const std::string large =
      Call("POST /v1/decisions/default/echo", "Content-Length: 5000\r\n", std::string(5000, 'x'));
  EXPECT_TRUE(large.starts_with("HTTP/1.1 413 ")) << large;
  const std::string zipped = Call("POST /v1/decisions/default/echo",
                                  "Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x");
  EXPECT_TRUE(zipped.starts_with("HTTP/1.1 415 ")) << zipped;
  const std::string parts = Call("POST /v1/decisions/default/echo",
                                 "Content-Type: multipart/form-data\r\nContent-Length: 1\r\n", "x");
  EXPECT_TRUE(parts.starts_with("HTTP/1.1 501 ")) << parts;
}

TEST_F(ServerTest, LongLinesAreRefusedInTheTablesWords) {
  Start();
  const auto field = [](const std::string& value) { return "X-Long: " + value + "\r\n"; };
  for (const char* route : {"GET /metrics", "GET /drain", "GET /v1/decisions/default/echo"}) {
    EXPECT_TRUE(Call(route, field(std::string(8000, 'x'))).starts_with("HTTP/1.1 200 ")) << route;
    // A '%' arrives as three bytes.
    for (const std::string& value : {std::string(9000, 'x'), std::string(3000, '%')}) {
      const std::string answer = Call(route, field(value));
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << route << answer;
      EXPECT_NE(answer.find("krypton-error: headers_too_large\r\n"), std::string::npos) << answer;
    }
  }
  const std::string answer = Call("GET /drain?" + std::string(8170, 'x'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 414 ")) << answer;
  EXPECT_NE(answer.find("krypton-error: bad_request\r\n"), std::string::npos) << answer;
}

TEST_F(ServerTest, ATakenPortIsNamed) {
  Start();
  Server::Settings settings;
  settings.bind_address = config::ToString(address_);
  Server second(settings, std::make_shared<metrics::Registry>("test"));
  const auto status = second.Start().status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(settings.bind_address), std::string::npos) << status;
}

TEST_F(ServerTest, StopEndsOpenStreams) {
  Start();
  Connection connection(config::ToString(address_));
  connection.Send("GET /v1/logs/default/echo HTTP/1.1\r\nHost: x\r\n\r\n");
  connection.ReadUntil("\"one\"");
  server_->Stop();
  connection.ReadAll();
  EXPECT_TRUE(manager_.WaitForStreams(0));
}

}  // namespace
}  // namespace krypton::ops
