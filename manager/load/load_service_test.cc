#include "manager/load/load_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "common/rpc/server.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using testing::ElementsAre;

class Recorder : public LoadListener {
 public:
  void OnLoad(const LoadSource& source, const v1::ReportRequest& report, bool first) override {
    std::lock_guard lock(mutex_);
    reports.push_back(source.instance + (first ? " first " : " ") +
                      std::to_string(report.sequence()));
    changed_.notify_all();
  }
  void OnLoadStreamEnd(const LoadSource& source) override {
    std::lock_guard lock(mutex_);
    ended.push_back(source.instance);
    changed_.notify_all();
  }
  bool WaitEnded(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return ended.size() >= count; });
  }

  std::vector<std::string> reports;
  std::vector<std::string> ended;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class LoadServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start().ok());
    stub_ = v1::LoadService::NewStub(server_.InProcessChannel());
  }
  void TearDown() override {
    service_.Shutdown();
    server_.Shutdown(std::chrono::seconds(5));
  }

  FakeClock clock_;
  Recorder recorder_;
  prometheus::Registry metrics_;
  Leadership leadership_{{.leader = true, .term = 5, .address = "me:7070"}};
  LoadServiceImpl service_{{.max_streams = 2}, clock_.clock(), leadership_, {&recorder_}, metrics_};
  rpc::Server server_{{}, {&service_}};
  std::unique_ptr<v1::LoadService::Stub> stub_;
};

struct Stream {
  explicit Stream(v1::LoadService::Stub& stub) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream = stub.Report(&context);
  }
  // False: the stream is over.
  bool Send(const v1::ReportRequest& report) {
    return stream->Write(report) && stream->Read(&response);
  }
  grpc::Status End() {
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ReportRequest, v1::ReportResponse>> stream;
  v1::ReportResponse response;
};

v1::ReportRequest First(const std::string& instance) {
  v1::ReportRequest report = ReplicaReport("echo", instance, 1.5);
  report.mutable_reporter()->set_kind(v1::REPORTER_KIND_SIDECAR);
  report.mutable_reporter()->set_instance(instance);
  report.set_sequence(1);
  return report;
}

TEST_F(LoadServiceTest, ReportsReachTheListenersAndAreAcknowledged) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(First("r1")));
  EXPECT_EQ(stream.response.acknowledged(), 1u);
  EXPECT_EQ(stream.response.term(), 5u);
  v1::ReportRequest next;
  next.set_sequence(2);
  ASSERT_TRUE(stream.Send(next));
  EXPECT_EQ(stream.response.acknowledged(), 2u);
  EXPECT_TRUE(stream.End().ok());
  ASSERT_TRUE(recorder_.WaitEnded(1));
  EXPECT_THAT(recorder_.reports, ElementsAre("r1 first 1", "r1 2"));
  EXPECT_THAT(recorder_.ended, ElementsAre("r1"));
}

TEST_F(LoadServiceTest, WhoFollowsSaysWhereTheLeaderIs) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(First("r1")));
  EXPECT_EQ(stream.response.leader_address(), "");
  leadership_.Set({.leader = false, .term = 6, .address = "other:7070"});
  service_.EndStreams();
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  Stream again(*stub_);
  ASSERT_TRUE(again.Send(First("r1")));
  EXPECT_EQ(again.response.leader_address(), "other:7070");
  EXPECT_EQ(again.response.term(), 6u);
  EXPECT_TRUE(again.End().ok());
}

TEST_F(LoadServiceTest, AnInvalidReportEndsTheStreamAndReachesNobody) {
  Stream stream(*stub_);
  v1::ReportRequest report = First("r1");
  report.set_sequence(7);
  EXPECT_FALSE(stream.Send(report));
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(recorder_.reports.empty());
  EXPECT_TRUE(recorder_.ended.empty());
}

TEST_F(LoadServiceTest, ASilentStreamIsEnded) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(First("r1")));
  clock_.Advance(std::chrono::seconds(24));
  service_.EndSilentStreams();
  v1::ReportRequest heartbeat;
  heartbeat.set_sequence(2);
  ASSERT_TRUE(stream.Send(heartbeat));
  clock_.Advance(std::chrono::seconds(26));
  service_.EndSilentStreams();
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(recorder_.WaitEnded(1));
}

TEST_F(LoadServiceTest, MoreStreamsThanAllowedAreRefused) {
  Stream first(*stub_);
  Stream second(*stub_);
  ASSERT_TRUE(first.Send(First("r1")));
  ASSERT_TRUE(second.Send(First("r2")));
  Stream third(*stub_);
  EXPECT_FALSE(third.Send(First("r3")));
  EXPECT_EQ(third.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(first.End().ok());
  EXPECT_TRUE(second.End().ok());
}

TEST_F(LoadServiceTest, ACancelledStreamEnds) {
  {
    Stream stream(*stub_);
    ASSERT_TRUE(stream.Send(First("r1")));
    stream.context.TryCancel();
    (void)stream.End();
  }
  EXPECT_TRUE(recorder_.WaitEnded(1));
}

TEST(CheckReportTest, RefusesWhatCannotBe) {
  const LoadSource sidecar = Sidecar("r1");
  const LoadSource gateway = Gateway("g1");
  const auto replica = [](auto change) {
    v1::ReportRequest report = ReplicaReport("echo", "r1", 1);
    report.set_sequence(1);
    change(report);
    return report;
  };
  EXPECT_TRUE(CheckReport(sidecar, replica([](auto&) {}), 1).ok());
  const v1::ReportRequest wrong[] = {
      replica([](auto& report) { report.set_sequence(2); }),
      replica([](auto& report) { report.mutable_replicas(0)->set_instance("r2"); }),
      replica([](auto& report) { report.mutable_replicas(0)->set_in_flight(-1); }),
      replica([](auto& report) {
        report.mutable_replicas(0)->set_in_flight(std::numeric_limits<double>::quiet_NaN());
      }),
      replica([](auto& report) {
        report.mutable_replicas(0)->set_parked(std::numeric_limits<double>::infinity());
      }),
      replica([](auto& report) { report.mutable_replicas(0)->set_port(70000); }),
      replica([](auto& report) { report.mutable_replicas(0)->set_streams(-1); }),
      replica([](auto& report) { *report.add_replicas() = report.replicas(0); }),
      replica([](auto& report) { report.add_queues(); }),
      replica([](auto& report) { report.mutable_replicas(0)->mutable_key()->clear_kind(); }),
      replica([](auto& report) {
        report.mutable_replicas(0)->mutable_key()->set_name(std::string(1'000'000, 'x'));
      }),
  };
  for (const v1::ReportRequest& report : wrong) {
    EXPECT_FALSE(CheckReport(sidecar, report, 1).ok()) << report.ShortDebugString();
  }
  EXPECT_FALSE(CheckReport(gateway, wrong[0], 1).ok());
  v1::ReportRequest queue = QueueReport("echo", 3);
  queue.set_sequence(1);
  EXPECT_TRUE(CheckReport(gateway, queue, 1).ok());
  queue.mutable_queues(0)->set_waiting(-3);
  EXPECT_FALSE(CheckReport(gateway, queue, 1).ok());
  EXPECT_FALSE(CheckReport({}, queue, 1).ok());
  EXPECT_FALSE(CheckReport(Gateway(std::string(300, 'x')), queue, 1).ok());
}

}  // namespace
}  // namespace krypton::manager
