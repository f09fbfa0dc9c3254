#include "common/load/reporter.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/testing/wait_for.h"
#include "krypton/v1/scaling.grpc.pb.h"

namespace krypton::load {
namespace {

using std::chrono::milliseconds;

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{20};

// A LoadService that remembers what it was told and answers as the test says.
class ScriptedLoadService : public v1::LoadService::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* Report(
      grpc::CallbackServerContext* context) override {
    std::unique_lock lock(mutex_);
    const auto shown = context->client_metadata().find("authorization");
    authorization_ = shown == context->client_metadata().end()
                         ? ""
                         : std::string(shown->second.data(), shown->second.size());
    ++streams_;
    return new Stream(*this);
  }

  // The reports of all streams so far, once there are `n`.
  std::vector<v1::ReportRequest> WaitForReports(std::size_t n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return reports_.size() >= n; }))
        << reports_.size() << " of " << n << " reports";
    return {reports_.begin(), reports_.end()};
  }
  int WaitForEndedStreams(int n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return ended_ >= n; });
    return ended_;
  }
  void NameLeader(const std::string& address) {
    std::unique_lock lock(mutex_);
    leader_ = address;
  }
  void StayMute() { mute_ = true; }
  // What the last stream showed.
  std::string authorization() {
    std::unique_lock lock(mutex_);
    return authorization_;
  }
  int streams() {
    std::unique_lock lock(mutex_);
    return streams_;
  }
  int orderly() {
    std::unique_lock lock(mutex_);
    return orderly_;
  }

 private:
  class Stream : public grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse> {
   public:
    explicit Stream(ScriptedLoadService& service) : service_(service) { StartRead(&request_); }
    void OnReadDone(bool ok) override {
      if (!ok) {
        const std::lock_guard lock(service_.mutex_);
        ++service_.orderly_;
        Finish(grpc::Status::OK);
        return;
      }
      {
        const std::lock_guard lock(service_.mutex_);
        service_.reports_.push_back(request_);
        service_.changed_.notify_all();
        response_.set_leader_address(service_.leader_);
      }
      if (service_.mute_) {
        StartRead(&request_);
        return;
      }
      response_.set_acknowledged(request_.sequence());
      StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (ok) {
        StartRead(&request_);
      } else {
        Finish(grpc::Status::CANCELLED);
      }
    }
    void OnDone() override {
      {
        const std::lock_guard lock(service_.mutex_);
        ++service_.ended_;
        service_.changed_.notify_all();
      }
      delete this;
    }

   private:
    ScriptedLoadService& service_;
    v1::ReportRequest request_;
    v1::ReportResponse response_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::ReportRequest> reports_;
  std::string leader_;
  std::string authorization_;
  int streams_ = 0;
  int ended_ = 0;
  int orderly_ = 0;
  std::atomic<bool> mute_ = false;
};

class Manager {
 public:
  explicit Manager(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
  }
  ~Manager() { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int port() const { return port_; }

  ScriptedLoadService service;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// The owner of a Reporter: one replica whose number of requests is the test's.
class Owner {
 public:
  v1::ReportRequest Collect(Scope scope) {
    v1::ReportRequest report;
    const std::uint64_t requests = requests_;
    if (scope == Scope::kChanges && requests == said_) return report;
    said_ = requests;
    if (scope == Scope::kHeartbeat) return report;
    auto& replica = *report.add_replicas();
    replica.set_instance("i");
    replica.set_requests_total(requests);
    return report;
  }
  void Work() { ++requests_; }

 private:
  std::atomic<std::uint64_t> requests_ = 1;
  std::uint64_t said_ = 0;
};

class ReporterTest : public testing::Test {
 protected:
  Reporter& Start(const std::string& address, milliseconds interval = milliseconds(20),
                  milliseconds heartbeat = std::chrono::hours(1),
                  milliseconds acknowledge_timeout = std::chrono::hours(1)) {
    v1::Reporter who;
    who.set_instance("me");
    reporter_ = std::make_unique<Reporter>(
        [](const std::string& to) {
          return grpc::CreateChannel(to, grpc::InsecureChannelCredentials());
        },
        who,
        Reporter::Settings{.manager_address = address,
                           .interval = interval,
                           .heartbeat = heartbeat,
                           .min_gap = milliseconds(1),
                           .min_backoff = milliseconds(5),
                           .max_backoff = milliseconds(20),
                           .acknowledge_timeout = acknowledge_timeout,
                           .token_file = token_file_},
        [this](Scope scope) { return owner_.Collect(scope); });
    reporter_->Start();
    return *reporter_;
  }

  std::string token_file_;
  Owner owner_;
  Manager manager_;
  std::unique_ptr<Reporter> reporter_;
};

TEST_F(ReporterTest, TheFirstReportNamesTheReporterAndSaysEverything) {
  Start(manager_.address());
  const auto reports = manager_.service.WaitForReports(1);
  EXPECT_EQ(reports[0].reporter().instance(), "me");
  EXPECT_EQ(reports[0].sequence(), 1u);
  ASSERT_EQ(reports[0].replicas_size(), 1);
  EXPECT_EQ(reports[0].replicas(0).requests_total(), 1u);
}

TEST_F(ReporterTest, EachStreamShowsTheTokenAsItIsThen) {
  token_file_ = testing::TempDir() + "reporter_test_token." + std::to_string(getpid());
  std::ofstream(token_file_) << "one\n";
  Start(manager_.address());
  manager_.service.WaitForReports(1);
  EXPECT_EQ(manager_.service.authorization(), "Bearer one");
  std::ofstream(token_file_) << "two\n";
  Manager leader;
  manager_.service.NameLeader(leader.address());
  owner_.Work();
  leader.service.WaitForReports(1);
  EXPECT_EQ(leader.service.authorization(), "Bearer two");
  reporter_->Stop();
  std::remove(token_file_.c_str());
}

TEST_F(ReporterTest, AChangeIsReportedAtTheNextIntervalWithoutAWord) {
  Start(manager_.address());
  manager_.service.WaitForReports(1);
  owner_.Work();
  const auto reports = manager_.service.WaitForReports(2);
  EXPECT_FALSE(reports[1].has_reporter());
  EXPECT_EQ(reports[1].sequence(), 2u);
  EXPECT_EQ(reports[1].replicas(0).requests_total(), 2u);
}

TEST_F(ReporterTest, ReportNowDoesNotWaitForTheInterval) {
  Reporter& reporter = Start(manager_.address(), std::chrono::hours(1));
  manager_.service.WaitForReports(1);
  owner_.Work();
  reporter.ReportNow();
  EXPECT_EQ(manager_.service.WaitForReports(2)[1].replicas(0).requests_total(), 2u);
}

TEST_F(ReporterTest, ManyReportNowsBecomeFewReportsAndTheLastChangeArrives) {
  Reporter& reporter = Start(manager_.address(), std::chrono::hours(1));
  constexpr int kThreads = 4;
  constexpr int kCalls = 5000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < kCalls; ++call) {
        owner_.Work();
        reporter.ReportNow();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::size_t seen = 1;
  while (true) {
    const auto reports = manager_.service.WaitForReports(seen);
    if (reports.back().replicas(0).requests_total() == kThreads * kCalls + 1) break;
    seen = reports.size() + 1;
    ASSERT_LT(seen, std::size_t{kThreads * kCalls});
  }
  EXPECT_LT(reporter.status().reports_sent, std::uint64_t{kThreads * kCalls / 2});
}

TEST_F(ReporterTest, AHeartbeatComesWhenNothingChanges) {
  Start(manager_.address(), milliseconds(5), milliseconds(20));
  const auto reports = manager_.service.WaitForReports(3);
  EXPECT_EQ(reports[2].replicas_size(), 0);
  EXPECT_EQ(reports[2].sequence(), 3u);
}

TEST_F(ReporterTest, AfterTheManagerReturnsTheStreamBeginsAnew) {
  auto manager = std::make_unique<Manager>();
  const int port = manager->port();
  Reporter& reporter = Start(manager->address());
  manager->service.WaitForReports(1);
  ASSERT_TRUE(WaitFor([&] { return reporter.status().connected; }));
  manager.reset();
  ASSERT_TRUE(WaitFor([&] { return !reporter.status().connected; }));
  owner_.Work();
  Manager again(port);
  const auto reports = again.service.WaitForReports(1);
  EXPECT_EQ(reports[0].reporter().instance(), "me");
  EXPECT_EQ(reports[0].sequence(), 1u);
  EXPECT_EQ(reports[0].replicas(0).requests_total(), 2u);
}

TEST_F(ReporterTest, ItFollowsTheLeaderAndComesBackWhenTheLeaderIsGone) {
  auto leader = std::make_unique<Manager>();
  manager_.service.NameLeader(leader->address());
  Reporter& reporter = Start(manager_.address());
  EXPECT_TRUE(leader->service.WaitForReports(1)[0].has_reporter());
  EXPECT_EQ(reporter.status().address, leader->address());
  manager_.service.NameLeader("");
  const int before = manager_.service.streams();
  leader.reset();
  EXPECT_TRUE(WaitFor([&] { return manager_.service.streams() > before; }));
  EXPECT_TRUE(WaitFor([&] { return reporter.status().connected; }));
  EXPECT_EQ(reporter.status().address, manager_.address());
}

TEST_F(ReporterTest, AnAnswerThatCannotBeReadEndsTheStream) {
  manager_.service.NameLeader("\xff");  // Not UTF-8.
  Reporter& reporter = Start(manager_.address());
  EXPECT_TRUE(WaitFor([&] { return reporter.status().streams_opened >= 2; }));
  manager_.service.NameLeader("");
  EXPECT_TRUE(WaitFor([&] { return reporter.status().connected; }));
}

TEST_F(ReporterTest, TwoManagersThatNameOneAnotherDoNotSpinIt) {
  Manager other;
  manager_.service.NameLeader(other.address());
  other.service.NameLeader(manager_.address());
  Reporter& reporter = Start(manager_.address());
  const Clock::time_point start = Clock::now();
  ASSERT_TRUE(WaitFor([&] { return reporter.status().streams_opened >= 8; }));
  // Moves 3 to 7 pause for at least half of 5, 10, 20, 20 and 20 ms.
  EXPECT_GE(Clock::now() - start, milliseconds(30));
}

TEST_F(ReporterTest, AManagerThatAcknowledgesNothingIsLeft) {
  manager_.service.StayMute();
  Reporter& reporter =
      Start(manager_.address(), milliseconds(10), std::chrono::hours(1), milliseconds(50));
  EXPECT_TRUE(WaitFor([&] { return reporter.status().streams_opened >= 2; }));
  EXPECT_FALSE(reporter.status().connected);
}

TEST_F(ReporterTest, StopWithPatienceSaysTheLastWordAndEndsTheStreamInOrder) {
  Reporter& reporter = Start(manager_.address(), std::chrono::hours(1));
  manager_.service.WaitForReports(1);
  owner_.Work();
  reporter.ReportNow();
  reporter.Stop(std::chrono::seconds(10));
  EXPECT_EQ(manager_.service.WaitForReports(2)[1].replicas(0).requests_total(), 2u);
  EXPECT_EQ(manager_.service.WaitForEndedStreams(1), 1);
  EXPECT_EQ(manager_.service.orderly(), 1);
}

TEST_F(ReporterTest, StopDoesNotWaitForAManagerThatIsNotThere) {
  Reporter& reporter = Start("127.0.0.1:1");
  ASSERT_TRUE(WaitFor([&] { return reporter.status().streams_opened >= 3; }));
  const Clock::time_point start = Clock::now();
  reporter.Stop(std::chrono::seconds(30));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace krypton::load
