#include "manager/controller/manager_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/server.h"
#include "manager/controller/controller.h"
#include "manager/testing/fake_clock.h"
#include "manager/testing/fake_platform.h"
#include "manager/testing/resources.h"

namespace krypton::manager {
namespace {

using testing::ElementsAre;

// What a replica prints, line by line, as the test says it.
class Printer {
 public:
  void Print(std::string line) {
    Tell([&] { lines_.push_back(std::move(line)); });
  }
  void End(absl::Status status = absl::OkStatus()) {
    Tell([&] {
      ended_ = true;
      status_ = std::move(status);
    });
  }
  absl::StatusOr<platform::LogBatch> Read() {
    std::lock_guard lock(mutex_);
    ++reads_;
    if (lines_.empty() && ended_ && !status_.ok()) return status_;
    platform::LogBatch batch;
    batch.instance = "r1";
    batch.lines = std::exchange(lines_, {});
    batch.end = ended_ && batch.lines.empty();
    return batch;
  }
  void WhenReadable(std::function<void()> ready) {
    {
      std::lock_guard lock(mutex_);
      ready_ = std::move(ready);
      waits_.notify_all();
    }
  }
  // Waits for a call of `ready` that runs, as a stream's destructor has to.
  void Close() {
    std::lock_guard call(call_);
    std::lock_guard lock(mutex_);
    ready_ = nullptr;
    closed_ = true;
    waits_.notify_all();
  }
  bool WaitUntilRead() {
    std::unique_lock lock(mutex_);
    return waits_.wait_for(lock, std::chrono::seconds(10), [this] { return ready_ != nullptr; });
  }
  bool WaitUntilClosed() {
    std::unique_lock lock(mutex_);
    return waits_.wait_for(lock, std::chrono::seconds(10), [this] { return closed_; });
  }

 private:
  void Tell(const std::function<void()>& change) {
    std::lock_guard call(call_);
    std::function<void()> ready;
    {
      std::lock_guard lock(mutex_);
      change();
      ready = std::exchange(ready_, nullptr);
    }
    if (ready) ready();
  }

  std::mutex call_;  // Taken before `mutex_`, and held while `ready` is called.
  std::mutex mutex_;
  std::condition_variable waits_;
  std::vector<std::string> lines_;
  bool ended_ = false;
  bool closed_ = false;
  int reads_ = 0;
  absl::Status status_;
  std::function<void()> ready_;
};

class PrinterStream : public platform::LogStream {
 public:
  explicit PrinterStream(Printer& printer) : printer_(printer) {}
  ~PrinterStream() override { printer_.Close(); }
  absl::StatusOr<platform::LogBatch> Read(size_t) override { return printer_.Read(); }
  void WhenReadable(std::function<void()> ready) override {
    printer_.WhenReadable(std::move(ready));
  }

 private:
  Printer& printer_;
};

class ManagerServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    platform_.open_logs = [this](const platform::LogOptions& options) {
      options_ = options;
      return std::make_unique<PrinterStream>(printer_);
    };
    controller_.SetPlatform(platform_);
    controller_.OnLeadership(true, 1, "");
    controller_.OnResource(MakeResource("echo", {.max = 5}));
    controller_.OnSynced();
    ASSERT_TRUE(server_.Start().ok());
    stub_ = v1::ManagerService::NewStub(server_.InProcessChannel());
  }
  void TearDown() override {
    service_.Shutdown();
    server_.Shutdown(std::chrono::seconds(5));
  }
  v1::ReadLogsRequest Logs(const std::string& name) {
    v1::ReadLogsRequest request;
    *request.mutable_key() = resource::AgentKey("default", name);
    request.set_follow(true);
    return request;
  }
  std::unique_ptr<grpc::ClientReader<v1::ReadLogsResponse>> Read(
      const v1::ReadLogsRequest& request) {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return stub_->ReadLogs(context_.get(), request);
  }

  FakeClock clock_;
  Printer printer_;
  platform::LogOptions options_;
  FakePlatform platform_;
  prometheus::Registry metrics_;
  RegistryStore store_;
  Leadership leadership_;
  Controller controller_{{}, clock_.clock(), store_, leadership_, metrics_};
  ManagerServiceImpl service_{{.max_log_streams = 1}, controller_};
  rpc::Server server_{{}, {&service_}};
  std::unique_ptr<v1::ManagerService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
};

TEST_F(ManagerServiceTest, LogsAreFollowedToTheirEnd) {
  printer_.Print("one");
  auto reader = Read(Logs("echo"));
  v1::ReadLogsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.instance(), "r1");
  EXPECT_THAT(response.lines(), ElementsAre("one"));
  ASSERT_TRUE(printer_.WaitUntilRead());
  printer_.Print("two");
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_THAT(response.lines(), ElementsAre("two"));
  ASSERT_TRUE(printer_.WaitUntilRead());
  printer_.End();
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(options_.follow);
  EXPECT_EQ(options_.tail_lines, 100);
}

TEST_F(ManagerServiceTest, AFailureOfThePlatformEndsTheStreamWithIt) {
  auto reader = Read(Logs("echo"));
  ASSERT_TRUE(printer_.WaitUntilRead());
  printer_.End(absl::DataLossError("the log file is gone"));
  v1::ReadLogsResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DATA_LOSS);
}

TEST_F(ManagerServiceTest, AReaderThatGoesAwayClosesTheLogs) {
  auto reader = Read(Logs("echo"));
  ASSERT_TRUE(printer_.WaitUntilRead());
  context_->TryCancel();
  EXPECT_TRUE(printer_.WaitUntilClosed());
  v1::ReadLogsResponse response;
  EXPECT_FALSE(reader->Read(&response));
  (void)reader->Finish();
}

TEST_F(ManagerServiceTest, MoreLogStreamsThanAllowedAreRefused) {
  auto reader = Read(Logs("echo"));
  ASSERT_TRUE(printer_.WaitUntilRead());
  grpc::ClientContext context;
  auto second = stub_->ReadLogs(&context, Logs("echo"));
  v1::ReadLogsResponse response;
  EXPECT_FALSE(second->Read(&response));
  EXPECT_EQ(second->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  printer_.End();
  EXPECT_FALSE(reader->Read(&response));
  (void)reader->Finish();
}

TEST_F(ManagerServiceTest, LogsOfAnUnknownResourceAreNotFound) {
  auto unknown = Read(Logs("nobody"));
  v1::ReadLogsResponse response;
  EXPECT_FALSE(unknown->Read(&response));
  EXPECT_EQ(unknown->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ManagerServiceTest, TooManyLinesOfLogsAreRefused) {
  v1::ReadLogsResponse response;
  v1::ReadLogsRequest request = Logs("echo");
  request.set_tail_lines(10'001);
  auto too_many = Read(request);
  EXPECT_FALSE(too_many->Read(&response));
  EXPECT_EQ(too_many->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ManagerServiceTest, ListsDecisionsTheNewestFirst) {
  for (int desired = 1; desired <= 5; ++desired) {
    v1::ScalingDecision decision;
    *decision.mutable_key() = resource::AgentKey("default", "echo");
    decision.set_term(1);
    decision.set_desired(desired);
    ASSERT_TRUE(controller_.Apply(decision).ok());
  }
  v1::ListDecisionsRequest request;
  request.mutable_key()->set_namespace_("default");
  request.mutable_key()->set_name("echo");
  request.set_limit(2);
  v1::ListDecisionsResponse response;
  const auto list = [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    response.Clear();
    return stub_->ListDecisions(&context, request, &response);
  };
  ASSERT_TRUE(list().ok());
  ASSERT_EQ(response.records_size(), 2);
  EXPECT_EQ(response.records(0).decision().desired(), 5);
  EXPECT_EQ(response.records(1).decision().desired(), 4);
  request.set_limit(-1);
  EXPECT_EQ(list().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_limit();
  request.mutable_key()->set_name("nobody");
  EXPECT_EQ(list().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace krypton::manager
