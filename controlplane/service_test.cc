// The service behind a real gRPC server, with a manager that the test plays.

#include "controlplane/service.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "controlplane/testing.h"

namespace krypton::controlplane {
namespace {

using testing::Added;
using testing::AgentEntry;
using ::testing::HasSubstr;
using testing::ModelEntry;

// Knows one decision, and prints lines until it is told to stop.
class FakeManager : public v1::ManagerService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const v1::ListDecisionsRequest* request,
                                          v1::ListDecisionsResponse* response) override {
    response->add_records()->mutable_decision()->set_desired(request->limit());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<v1::ReadLogsResponse>* ReadLogs(
      grpc::CallbackServerContext*, const v1::ReadLogsRequest* request) override {
    return new Printer(request->tail_lines(), request->follow(), line);
  }

  std::atomic<const char*> line = "line";

 private:
  class Printer : public grpc::ServerWriteReactor<v1::ReadLogsResponse> {
   public:
    Printer(int lines, bool follow, const char* line) : left_(lines), follow_(follow), line_(line) {
      OnWriteDone(true);
    }
    void OnWriteDone(bool ok) override {
      if (!ok || (left_ == 0 && !follow_)) {
        Finish(ok ? grpc::Status(grpc::StatusCode::DATA_LOSS, "that was all")
                  : grpc::Status::CANCELLED);
        return;
      }
      if (left_ > 0) --left_;
      response_.Clear();
      response_.add_lines(line_);
      response_.set_notice(left_ == 0 ? "the last one" : "");
      StartWrite(&response_);
    }
    void OnDone() override { delete this; }

   private:
    int left_;
    const bool follow_;
    const char* const line_;
    v1::ReadLogsResponse response_;
  };
};

std::shared_ptr<grpc::Channel> ChannelTo(const config::HostPort& address) {
  return grpc::CreateChannel(config::ToString(address), grpc::InsecureChannelCredentials());
}

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest()
      : manager_server_({}, {&manager_}),
        leader_(ChannelTo(*manager_server_.Start()), nullptr),
        metrics_(registry_, {"list_agents", "get_agent", "watch_agents", "read_agent_logs"}),
        streams_(4),
        service_({catalog_, streams_, leader_, metrics_, [this] { return Synced(); }}),
        server_({}, {&service_}),
        stub_(v1::ControlPlaneService::NewStub(ChannelTo(*server_.Start()))) {
    Apply(Added({AgentEntry("default", "a"), AgentEntry("default", "b")}));
  }
  ~ServiceTest() override {
    streams_.StopAll();
    server_.Shutdown(std::chrono::seconds(5));
    manager_server_.Shutdown(std::chrono::seconds(5));
  }

  void Apply(const registry::Change& change) { streams_.Publish(catalog_.Apply(change)); }

  grpc::Status GetAgent(const std::string& name_space, const std::string& name) {
    grpc::ClientContext context;
    v1::GetAgentRequest request;
    request.set_namespace_(name_space);
    request.set_name(name);
    v1::GetAgentResponse response;
    return stub_->GetAgent(&context, request, &response);
  }

  bool Synced() {
    if (when_asked_) when_asked_();
    return synced_;
  }

  double Count(const std::string& route, const std::string& code) {
    for (const auto& family : registry_.Collect()) {
      if (family.name != "krypton_api_requests_total") continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> labels;
        for (const auto& label : metric.label) labels[label.name] = label.value;
        if (labels["route"] == route && labels["code"] == code && labels["method"] == "POST") {
          return metric.counter.value;
        }
      }
    }
    return -1;
  }

  // A stream counts once gRPC is through with it, which is after the client has seen its end.
  bool WaitForCount(const std::string& route, const std::string& code, double count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (Count(route, code) != count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::atomic<bool> synced_ = true;
  std::function<void()> when_asked_;  // Whether it is synced.
  FakeManager manager_;
  rpc::Server manager_server_;
  Leader leader_;
  metrics::Registry registry_{"control-plane"};
  ApiMetrics metrics_;
  Catalog catalog_{"http://gateway.example"};
  Streams streams_;
  Service service_;
  rpc::Server server_;
  std::unique_ptr<v1::ControlPlaneService::Stub> stub_;
};

TEST_F(ServiceTest, AnAgentThatIsNotThereIsNotFoundWithDetails) {
  const grpc::Status status = GetAgent("default", "nobody");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  const absl::Status details = rpc::FromGrpc(status);
  EXPECT_EQ(rpc::Reason(details), "AGENT_NOT_FOUND");
  google::rpc::ResourceInfo info;
  ASSERT_TRUE(rpc::GetDetail(details, info));
  EXPECT_EQ(info.resource_name(), "default/nobody");
}

TEST_F(ServiceTest, AnEmptyNameIsInvalid) {
  EXPECT_EQ(GetAgent("", "a").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(GetAgent("default", "").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, BeforeTheRegistryWasReadAllIsUnavailable) {
  synced_ = false;
  EXPECT_EQ(GetAgent("default", "a").error_code(), grpc::StatusCode::UNAVAILABLE);
  grpc::ClientContext context;
  EXPECT_EQ(stub_->WatchAgents(&context, {})->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// What is looked up before that is not there.
TEST_F(ServiceTest, WhatTheFirstSnapshotBringsIsFoundByACallThatCameBeforeIt) {
  std::atomic<int> asked = 0;
  when_asked_ = [&] { Apply(Added({AgentEntry("default", asked++ == 0 ? "late" : "later")})); };
  grpc::ClientContext explain_context;
  v1::ExplainAgentRequest explain;
  explain.set_namespace_("default");
  explain.set_name("late");
  v1::ExplainAgentResponse explained;
  const grpc::Status status = stub_->ExplainAgent(&explain_context, explain, &explained);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(explained.agent().metadata().name(), "late");

  grpc::ClientContext logs_context;
  v1::ReadAgentLogsRequest logs;
  logs.set_namespace_("default");
  logs.set_name("later");
  v1::ReadAgentLogsResponse lines;
  const auto reader = stub_->ReadAgentLogs(&logs_context, logs);
  EXPECT_TRUE(reader->Read(&lines));
  logs_context.TryCancel();
  reader->Finish();
}

TEST_F(ServiceTest, CallsAreCountedByTheirHttpStatus) {
  EXPECT_EQ(Count("get_agent", "200"), 0) << "known series start at zero";
  GetAgent("default", "a");
  GetAgent("default", "nobody");
  EXPECT_EQ(Count("get_agent", "200"), 1);
  EXPECT_EQ(Count("get_agent", "404"), 1);
}

TEST_F(ServiceTest, TheTranscodersCallsAreNotCountedTwice) {
  const auto in_process = v1::ControlPlaneService::NewStub(server_.InProcessChannel());
  grpc::ClientContext context;
  v1::ListAgentsResponse response;
  ASSERT_TRUE(in_process->ListAgents(&context, {}, &response).ok());
  EXPECT_EQ(Count("list_agents", "200"), 0);
}

TEST_F(ServiceTest, AWatchTellsWhatIsAndWhatChanges) {
  grpc::ClientContext context;
  const auto watch = stub_->WatchAgents(&context, {});
  v1::WatchAgentsResponse response;
  std::vector<int> types;
  for (int i = 0; i < 3 && watch->Read(&response); ++i) types.push_back(response.type());
  EXPECT_EQ(types, (std::vector<int>{v1::CHANGE_TYPE_ADDED, v1::CHANGE_TYPE_ADDED,
                                     v1::CHANGE_TYPE_SYNCED}));
  Apply(testing::Removed(resource::AgentKey("default", "b")));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.type(), v1::CHANGE_TYPE_DELETED);
  EXPECT_EQ(response.agent().metadata().name(), "b");
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(WaitForCount("watch_agents", "499", 1));
  EXPECT_EQ(streams_.size(), 0u);
}

TEST_F(ServiceTest, WatchesAreBoundedAndEndWhenTheProcessDrains) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchAgentsResponse>>> watches;
  v1::WatchAgentsResponse response;
  for (int i = 0; i < 4; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(stub_->WatchAgents(contexts.back().get(), {}));
    ASSERT_TRUE(watches.back()->Read(&response));
  }
  grpc::ClientContext fifth;
  EXPECT_EQ(stub_->WatchAgents(&fifth, {})->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  streams_.StopAll();
  for (auto& watch : watches) {
    while (watch->Read(&response)) {
    }
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  grpc::ClientContext late_watch;
  EXPECT_EQ(stub_->WatchAgents(&late_watch, {})->Finish().error_code(),
            grpc::StatusCode::UNAVAILABLE);
  grpc::ClientContext late_logs;
  v1::ReadAgentLogsRequest logs;
  logs.set_namespace_("default");
  logs.set_name("a");
  EXPECT_EQ(stub_->ReadAgentLogs(&late_logs, logs)->Finish().error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, WatchersAreToldWhereTheGatewayOfThisControlPlaneIs) {
  grpc::ClientContext context;
  const auto watch = stub_->WatchAgents(&context, {});
  v1::WatchAgentsResponse response;
  do {
    ASSERT_TRUE(watch->Read(&response));
  } while (response.type() != v1::CHANGE_TYPE_SYNCED);
  Apply(Added({AgentEntry("default", "a", 1), AgentEntry("default", "new")}));
  for (const char* name : {"a", "new"}) {
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.agent().status().url(),
              std::string("http://gateway.example/v1/agents/default/") + name);
  }
  context.TryCancel();
}

TEST_F(ServiceTest, ChangesUnderManyWatchesReachAll) {
  std::atomic<int> saw_last{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      grpc::ClientContext context;
      const auto watch = stub_->WatchAgents(&context, {});
      v1::WatchAgentsResponse response;
      while (watch->Read(&response)) {
        if (response.agent().status().replicas() == 500) break;
      }
      ++saw_last;
      context.TryCancel();
      watch->Finish();
    });
  }
  for (int i = 1; i <= 500; ++i) Apply(Added({AgentEntry("default", "a", i)}));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(saw_last, 4);
}

TEST_F(ServiceTest, LogsArePassedOnWithTheManagersLastWord) {
  grpc::ClientContext context;
  v1::ReadAgentLogsRequest request;
  request.set_namespace_("default");
  request.set_name("a");
  request.set_tail_lines(50);
  const auto logs = stub_->ReadAgentLogs(&context, request);
  v1::ReadAgentLogsResponse response;
  int lines = 0;
  std::string notices;
  while (logs->Read(&response)) {
    lines += response.lines_size();
    notices += response.notice();
  }
  EXPECT_EQ(lines, 50);
  EXPECT_EQ(notices, "the last one");
  const grpc::Status status = logs->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(status.error_message(), "that was all");
}

TEST_F(ServiceTest, AReaderOfLogsThatLeavesEndsThem) {
  grpc::ClientContext context;
  v1::ReadAgentLogsRequest request;
  request.set_namespace_("default");
  request.set_name("a");
  request.set_follow(true);
  const auto logs = stub_->ReadAgentLogs(&context, request);
  v1::ReadAgentLogsResponse response;
  ASSERT_TRUE(logs->Read(&response));
  context.TryCancel();
  logs->Finish();
  EXPECT_TRUE(WaitForCount("read_agent_logs", "499", 1));
}

TEST_F(ServiceTest, LogsThatCannotBeReadEnd) {
  manager_.line = "\xff";  // Not UTF-8.
  grpc::ClientContext context;
  v1::ReadAgentLogsRequest request;
  request.set_namespace_("default");
  request.set_name("a");
  request.set_follow(true);
  const auto logs = stub_->ReadAgentLogs(&context, request);
  v1::ReadAgentLogsResponse response;
  EXPECT_FALSE(logs->Read(&response));
  EXPECT_FALSE(logs->Finish().ok());
}

TEST_F(ServiceTest, AnExplanationComesFromTheManagersDecisions) {
  grpc::ClientContext context;
  v1::ExplainAgentRequest request;
  request.set_namespace_("default");
  request.set_name("a");
  v1::ExplainAgentResponse response;
  ASSERT_TRUE(stub_->ExplainAgent(&context, request, &response).ok());
  EXPECT_EQ(response.agent().metadata().name(), "a");
  ASSERT_EQ(response.decisions_size(), 1);
  EXPECT_EQ(response.decisions(0).decision().desired(), 20) << "the standard limit";
  EXPECT_THAT(response.summary(), HasSubstr("sleeps"));
}

TEST_F(ServiceTest, AModelIsExplainedAsAnAgentIsAlsoWhereBothHaveOneName) {
  Apply(Added({ModelEntry("default", "a"), ModelEntry("default", "llama")}));
  const auto explain = [this](const std::string& name, v1::ExplainModelResponse* response) {
    grpc::ClientContext context;
    v1::ExplainModelRequest request;
    request.set_namespace_("default");
    request.set_name(name);
    request.set_limit(7);
    return stub_->ExplainModel(&context, request, response);
  };
  for (const std::string name : {"a", "llama"}) {
    v1::ExplainModelResponse response;
    ASSERT_TRUE(explain(name, &response).ok());
    EXPECT_EQ(response.model().metadata().name(), name);
    ASSERT_EQ(response.decisions_size(), 1);
    EXPECT_EQ(response.decisions(0).decision().desired(), 7);
    EXPECT_THAT(response.summary(), HasSubstr("model \"default/" + name + "\" sleeps"));
  }
  v1::ExplainModelResponse response;
  EXPECT_EQ(rpc::Reason(rpc::FromGrpc(explain("b", &response))), "MODEL_NOT_FOUND");
}

TEST_F(ServiceTest, WithoutItsManagerItSaysSo) {
  manager_server_.Shutdown(std::chrono::seconds(0));
  EXPECT_TRUE(GetAgent("default", "a").ok()) << "what it has read it knows";
  grpc::ClientContext context;
  v1::ExplainAgentRequest request;
  request.set_namespace_("default");
  request.set_name("a");
  v1::ExplainAgentResponse response;
  const grpc::Status status = stub_->ExplainAgent(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(rpc::Reason(rpc::FromGrpc(status)), "MANAGER_UNREACHABLE");
}

}  // namespace
}  // namespace krypton::controlplane
