// Decisions on their way: the scaler's publisher against the manager's service, and against one
// that fails; and the whole way from a request that waits to the platform.
#include "manager/controller/scaling_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/testing/wait_for.h"
#include "manager/controller/controller.h"
#include "manager/load/load_service.h"
#include "manager/registry/registry_service.h"
#include "manager/scaler/publisher.h"
#include "manager/scaler/scaler_host.h"
#include "manager/testing/fake_platform.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using resource::AgentKey;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr uint64_t kTerm = 7;

v1::ScalingDecision Decision(const std::string& name, uint64_t sequence, int desired) {
  v1::ScalingDecision decision;
  *decision.mutable_key() = AgentKey("default", name);
  decision.set_sequence(sequence);
  decision.set_term(kTerm);
  decision.set_desired(desired);
  return decision;
}

class ScalingTest : public testing::Test {
 protected:
  void SetUp() override {
    controller_.SetPlatform(platform_);
    controller_.OnLeadership(true, kTerm, "manager:7070");
    ASSERT_TRUE(server_.Start().ok());
  }
  void TearDown() override {
    registry_.Shutdown();
    load_.Shutdown();
    scaling_.Shutdown();
    server_.Shutdown(std::chrono::seconds(5));
  }
  void Declare(const std::string& name, const AgentOptions& options = {}) {
    controller_.OnResource(MakeResource(name, options));
    controller_.OnSynced();
  }

  Clock clock_;
  FakePlatform platform_;
  prometheus::Registry metrics_;
  RegistryStore store_;
  Leadership leadership_;
  Controller controller_{{}, clock_, store_, leadership_, metrics_};
  scaler::ScalerHost scaler_{{.interval = milliseconds(20)}, clock_, metrics_};
  RegistryServiceImpl registry_{{}, store_, metrics_};
  LoadServiceImpl load_{{}, clock_, leadership_, {&controller_, &scaler_.listener()}, metrics_};
  ScalingServiceImpl scaling_{{.max_streams = 2}, controller_, leadership_};
  rpc::Server server_{{}, {&registry_, &load_, &scaling_}};
};

struct Stream {
  explicit Stream(std::shared_ptr<grpc::Channel> channel)
      : stub(v1::ScalingService::NewStub(channel)) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream = stub->PublishDecisions(&context);
  }
  bool Send(const std::vector<v1::ScalingDecision>& decisions) {
    v1::PublishDecisionsRequest request;
    for (const auto& decision : decisions) *request.add_decisions() = decision;
    return stream->Write(request) && stream->Read(&response);
  }
  grpc::Status End() {
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }

  std::unique_ptr<v1::ScalingService::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::PublishDecisionsRequest, v1::PublishDecisionsResponse>>
      stream;
  v1::PublishDecisionsResponse response;
};

TEST_F(ScalingTest, DecisionsAreAcknowledgedAndWrongOnesRefused) {
  Declare("echo", {.max = 4});
  Stream stream(server_.InProcessChannel());
  ASSERT_TRUE(
      stream.Send({Decision("echo", 1, 3), Decision("nobody", 2, 1), Decision("echo", 3, 9)}));
  EXPECT_EQ(stream.response.acknowledged(), 3u);
  EXPECT_EQ(stream.response.term(), kTerm);
  ASSERT_EQ(stream.response.refusals_size(), 2);
  EXPECT_THAT(stream.response.refusals(0).reason(), HasSubstr("does not exist"));
  EXPECT_THAT(stream.response.refusals(1).reason(), HasSubstr("not in 1..4"));
  EXPECT_EQ(platform_.desired("default/echo"), 3);

  v1::ScalingDecision old = Decision("echo", 4, 1);
  old.set_term(kTerm - 1);
  ASSERT_TRUE(stream.Send({old}));
  EXPECT_THAT(stream.response.refusals(0).reason(), HasSubstr("term"));
  EXPECT_EQ(platform_.desired("default/echo"), 3);
  EXPECT_TRUE(stream.End().ok());
}

TEST_F(ScalingTest, ASequenceThatGoesBackEndsTheStream) {
  Declare("echo", {.max = 4});
  Stream stream(server_.InProcessChannel());
  ASSERT_TRUE(stream.Send({Decision("echo", 5, 3)}));
  EXPECT_FALSE(stream.Send({Decision("echo", 5, 2)}));
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(platform_.desired("default/echo"), 3);
}

// A gateway's load stream, as common/load opens it.
class GatewayStream {
 public:
  explicit GatewayStream(std::shared_ptr<grpc::Channel> channel)
      : stub_(v1::LoadService::NewStub(channel)), stream_(stub_->Report(&context_)) {}
  ~GatewayStream() {
    stream_->WritesDone();
    v1::ReportResponse response;
    while (stream_->Read(&response)) {
    }
    (void)stream_->Finish();
  }
  void Report(const std::string& name, int waiting) {
    v1::ReportRequest report = QueueReport(name, waiting);
    report.mutable_reporter()->set_kind(v1::REPORTER_KIND_GATEWAY);
    report.mutable_reporter()->set_instance("g1");
    report.set_sequence(++sequence_);
    v1::ReportResponse response;
    ASSERT_TRUE(stream_->Write(report));
    ASSERT_TRUE(stream_->Read(&response));
  }

 private:
  uint64_t sequence_ = 0;
  grpc::ClientContext context_;
  std::unique_ptr<v1::LoadService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ReportRequest, v1::ReportResponse>> stream_;
};

TEST_F(ScalingTest, ARequestThatWaitsReachesThePlatformAndTheRegistry) {
  scaler_.Lead(kTerm, server_.InProcessChannel());
  Declare("sleepy", {.serverless = true, .scale_to_zero_seconds = 1});
  ASSERT_EQ(platform_.desired("default/sleepy"), 0);
  {
    GatewayStream gateway(server_.InProcessChannel());
    gateway.Report("sleepy", 1);
    ASSERT_TRUE(WaitFor([&] { return platform_.desired("default/sleepy") == 1; }));
    controller_.OnReplicas(AgentKey("default", "sleepy"), {MakeReplica("r1")});
    controller_.OnLoad(Sidecar("r1"), ReplicaReport("sleepy", "r1", 0), true);
    const EntryPtr entry = store_.Find(AgentKey("default", "sleepy"));
    EXPECT_EQ(entry->endpoints(0).state(), v1::ENDPOINT_STATE_READY);
    EXPECT_TRUE(entry->endpoints(0).start_timing().has_decide());
    EXPECT_EQ(entry->agent().status().desired_replicas(), 1);
    gateway.Report("sleepy", 0);
    EXPECT_TRUE(WaitFor([&] { return platform_.desired("default/sleepy") == 0; }));
  }
  scaler_.Follow();
  const auto records = controller_.Decisions(AgentKey("default", "sleepy"), 10);
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->at(0).decision().rule(), v1::SCALING_RULE_IDLE);
  EXPECT_EQ(records->at(1).decision().rule(), v1::SCALING_RULE_WAKE);
}

// Takes decisions, and breaks its streams as it is told.
class FlakyScalingService : public v1::ScalingService::Service {
 public:
  grpc::Status PublishDecisions(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::PublishDecisionsResponse, v1::PublishDecisionsRequest>* stream)
      override {
    v1::PublishDecisionsRequest request;
    while (stream->Read(&request)) {
      v1::PublishDecisionsResponse response;
      {
        std::lock_guard lock(mutex_);
        if (breaks_left_ > 0) {
          --breaks_left_;
          return {grpc::StatusCode::UNAVAILABLE, "broken on purpose"};
        }
        for (const auto& decision : request.decisions()) {
          taken_[decision.key().name()] = decision.desired();
          response.set_acknowledged(decision.sequence());
        }
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  int taken(const std::string& name) {
    std::lock_guard lock(mutex_);
    return taken_.contains(name) ? taken_[name] : -1;
  }
  void Break(int times) {
    std::lock_guard lock(mutex_);
    breaks_left_ = times;
  }

 private:
  std::mutex mutex_;
  int breaks_left_ = 0;
  std::map<std::string, int> taken_;
};

TEST(PublisherTest, WhatWasNotAcknowledgedIsSentAgain) {
  FlakyScalingService service;
  rpc::Server server({}, {&service});
  ASSERT_TRUE(server.Start().ok());
  service.Break(2);
  scaler::Publisher publisher(server.InProcessChannel(), {.term = kTerm}, [](const auto&) {});
  publisher.Start();
  publisher.Publish(Decision("a", 1, 1));
  publisher.Publish(Decision("b", 2, 5));
  publisher.Publish(Decision("a", 3, 4));
  EXPECT_TRUE(WaitFor([&] { return service.taken("a") == 4 && service.taken("b") == 5; }));
  publisher.Stop();
  server.Shutdown(std::chrono::seconds(5));
}

TEST(PublisherTest, ManyThreadsPublishAndTheLastOfEachCounts) {
  FlakyScalingService service;
  rpc::Server server({}, {&service});
  ASSERT_TRUE(server.Start().ok());
  scaler::Publisher publisher(server.InProcessChannel(), {.term = kTerm}, [](const auto&) {});
  publisher.Start();
  std::mutex mutex;
  uint64_t sequence = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 1; i <= 200; ++i) {
        std::lock_guard lock(mutex);
        publisher.Publish(Decision("agent-" + std::to_string(thread), ++sequence, i));
        if (i == 100 && thread == 0) service.Break(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(WaitFor([&] {
    for (int thread = 0; thread < 4; ++thread) {
      if (service.taken("agent-" + std::to_string(thread)) != 200) return false;
    }
    return true;
  }));
  publisher.Stop();
  server.Shutdown(std::chrono::seconds(5));
}

// Many times: which thread lets go of the channel last is a matter of which is quicker.
TEST(PublisherTest, StopsWhileNobodyListens) {
  for (int i = 0; i < 20; ++i) {
    scaler::Publisher publisher(*rpc::Connect("127.0.0.1:1", {}), {.term = kTerm},
                                [](const auto&) {});
    publisher.Start();
    publisher.Publish(Decision("a", 1, 1));
    publisher.Stop();
  }
}

}  // namespace
}  // namespace krypton::manager
