#include "manager/load/load_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
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

// Answers on threads of its own, when the test says so.
class Gatekeeper : public ReporterAuthenticator {
 public:
  ~Gatekeeper() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void Authenticate(ReporterClaim claim, Done done) override {
    // An answer may begin the next question before this one has returned.
    std::lock_guard threads_lock(threads_mutex_);
    threads_.emplace_back([this, claim = std::move(claim), done = std::move(done)] {
      std::unique_lock lock(mutex_);
      claims.push_back(claim);
      asked_.notify_all();
      let_go_.wait_for(lock, std::chrono::seconds(10), [this] { return answer_.has_value(); });
      const absl::Status verdict = std::exchange(answer_, std::nullopt).value_or(absl::OkStatus());
      lock.unlock();
      done(verdict);
    });
  }
  void Answer(absl::Status verdict) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(verdict);
    let_go_.notify_all();
  }
  bool WaitAsked(size_t count) {
    std::unique_lock lock(mutex_);
    return asked_.wait_for(lock, std::chrono::seconds(10), [&] { return claims.size() >= count; });
  }

  std::vector<ReporterClaim> claims;

 private:
  std::mutex mutex_;
  std::condition_variable asked_;
  std::condition_variable let_go_;
  std::optional<absl::Status> answer_;
  std::mutex threads_mutex_;
  std::vector<std::thread> threads_;
};

class ProvenLoadServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start().ok());
    stub_ = v1::LoadService::NewStub(server_.InProcessChannel());
  }
  void TearDown() override {
    service_.Shutdown();
    server_.Shutdown(std::chrono::seconds(5));
  }
  double Refused(const std::string& reason) {
    for (const auto& family : metrics_.Collect()) {
      if (family.name != "krypton_load_reports_refused_total") continue;
      for (const auto& metric : family.metric) {
        if (metric.label[0].value == reason) return metric.counter.value;
      }
    }
    return -1;
  }

  FakeClock clock_;
  Recorder recorder_;
  Gatekeeper gatekeeper_;
  prometheus::Registry metrics_;
  Leadership leadership_{{.leader = true, .term = 5, .address = "me:7070"}};
  LoadServiceImpl service_{
      {.authenticator = &gatekeeper_}, clock_.clock(), leadership_, {&recorder_}, metrics_};
  rpc::Server server_{{}, {&service_}};
  std::unique_ptr<v1::LoadService::Stub> stub_;
};

TEST_F(ProvenLoadServiceTest, NothingCountsBeforeTheProof) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer secret");
  const auto stream = stub_->Report(&context);
  ASSERT_TRUE(stream->Write(First("r1")));
  ASSERT_TRUE(gatekeeper_.WaitAsked(1));
  EXPECT_EQ(gatekeeper_.claims[0].token, "secret");
  EXPECT_EQ(gatekeeper_.claims[0].instance, "r1");
  EXPECT_EQ(gatekeeper_.claims[0].key.name(), "echo");
  EXPECT_TRUE(recorder_.reports.empty());
  gatekeeper_.Answer(absl::OkStatus());
  v1::ReportResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.acknowledged(), 1u);
  EXPECT_THAT(recorder_.reports, ElementsAre("r1 first 1"));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ProvenLoadServiceTest, WhoIsRefusedReachesNobodyAndIsCounted) {
  for (const auto& [verdict, reason] :
       {std::pair(absl::UnauthenticatedError("no"), "unauthenticated"),
        std::pair(absl::PermissionDeniedError("no"), "forbidden"),
        std::pair(absl::UnavailableError("no"), "unproven")}) {
    gatekeeper_.Answer(verdict);
    Stream stream(*stub_);
    EXPECT_FALSE(stream.Send(First("r1")));
    EXPECT_EQ(static_cast<int>(stream.End().error_code()), static_cast<int>(verdict.code()));
    EXPECT_EQ(Refused(reason), 1) << reason;
  }
  EXPECT_TRUE(recorder_.reports.empty());
  EXPECT_TRUE(recorder_.ended.empty());
}

TEST_F(ProvenLoadServiceTest, AProvenSidecarSpeaksOfItsOwnResourceToTheEnd) {
  gatekeeper_.Answer(absl::OkStatus());
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(First("r1")));
  v1::ReportRequest other = ReplicaReport("other", "r1", 1);
  other.set_sequence(2);
  EXPECT_FALSE(stream.Send(other));
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Stream nameless(*stub_);
  v1::ReportRequest empty = First("r1");
  empty.clear_replicas();
  EXPECT_FALSE(nameless.Send(empty));
  EXPECT_EQ(nameless.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ProvenLoadServiceTest, AStreamThatIsCancelledMeanwhileEndsAfterTheVerdict) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.stream->Write(First("r1")));
  ASSERT_TRUE(gatekeeper_.WaitAsked(1));
  stream.context.TryCancel();
  (void)stream.End();
  gatekeeper_.Answer(absl::OkStatus());
  service_.Shutdown();
  server_.Shutdown(std::chrono::seconds(5));
  // The verdict may have come before the server knew that its client had left.
  EXPECT_EQ(recorder_.ended.size(), recorder_.reports.size());
}

TEST_F(ProvenLoadServiceTest, AStreamThatEndsMeanwhileReachesNobody) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.stream->Write(First("r1")));
  ASSERT_TRUE(gatekeeper_.WaitAsked(1));
  service_.EndStreams();
  gatekeeper_.Answer(absl::OkStatus());
  EXPECT_EQ(stream.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(recorder_.reports.empty());
  EXPECT_TRUE(recorder_.ended.empty());
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
