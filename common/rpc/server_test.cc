#include "common/rpc/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "krypton/v1/manager.grpc.pb.h"

namespace krypton::rpc {
namespace {

using namespace std::chrono_literals;

// Answers ListDecisions with NOT_FOUND, or holds it until released.
class FakeManager : public v1::ManagerService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const v1::ListDecisionsRequest* request,
                                          v1::ListDecisionsResponse*) override {
    auto* reactor = context->DefaultReactor();
    if (request->limit() == 0) {
      reactor->Finish(ToGrpc(Error(absl::StatusCode::kNotFound, "AGENT_NOT_FOUND", "none")));
      return reactor;
    }
    const std::lock_guard lock(mutex_);
    held_ = reactor;
    arrived_.notify_all();
    return reactor;
  }
  void WaitForCall() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(arrived_.wait_for(lock, 10s, [&] { return held_ != nullptr; }));
  }
  void Release() { held_->Finish(grpc::Status::OK); }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  grpc::ServerUnaryReactor* held_ = nullptr;
};

// A raw Health.Check, since Debian ships no health.proto: field 1 is the service's name, field 1 of
// the answer the status.
std::pair<grpc::StatusCode, int> Health(const std::shared_ptr<grpc::Channel>& channel,
                                        const std::string& service) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  SetTimeout(context, 10s);
  std::string request;
  if (!service.empty()) request = std::string("\x0a") + char(service.size()) + service;
  grpc::Slice slice(request);
  grpc::ByteBuffer out(&slice, 1);
  grpc::ByteBuffer in;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", out, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&in, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  std::string answer;
  if (status.ok() && in.Dump(&slices).ok()) {
    for (const auto& part : slices) {
      answer.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return {status.error_code(), answer.size() == 2 ? answer[1] : 0};
}

TEST(ServerTest, ServesOnAPortOfItsChoice) {
  FakeManager manager;
  Server server({}, {&manager});
  const auto address = server.Start();
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_NE(address->port, 0);

  const auto channel = Connect(config::ToString(*address), {});
  ASSERT_TRUE(channel.ok());
  const auto stub = v1::ManagerService::NewStub(*channel);
  grpc::ClientContext context;
  SetTimeout(context, 10s);
  v1::ListDecisionsResponse response;
  const grpc::Status status = stub->ListDecisions(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Reason(FromGrpc(status)), "AGENT_NOT_FOUND");
}

TEST(ServerTest, HealthKnowsTheWholeAndEachService) {
  FakeManager manager;
  Server server({}, {&manager});
  ASSERT_TRUE(server.Start().ok());
  const auto channel = server.InProcessChannel();
  EXPECT_EQ(Health(channel, ""), std::pair(grpc::StatusCode::OK, 1));
  EXPECT_EQ(Health(channel, "krypton.v1.ManagerService"), std::pair(grpc::StatusCode::OK, 1));
  EXPECT_EQ(Health(channel, "no.such.Service").first, grpc::StatusCode::NOT_FOUND);
  server.SetServing(false);
  EXPECT_EQ(Health(channel, "krypton.v1.ManagerService"), std::pair(grpc::StatusCode::OK, 2));
}

TEST(ServerTest, ATakenPortIsNamed) {
  FakeManager manager;
  Server first({}, {&manager});
  const auto address = first.Start();
  ASSERT_TRUE(address.ok());
  FakeManager other;
  Server::Settings settings;
  settings.bind_address = config::ToString(*address);
  Server second(settings, {&other});
  const auto status = second.Start().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(std::string(status.message()).find(settings.bind_address), std::string::npos);
  EXPECT_NE(std::string(status.message()).find("Address already in use"), std::string::npos)
      << status;
}

TEST(ServerTest, AWrongAddressIsAWrongConfiguration) {
  Server::Settings settings;
  settings.bind_address = "nonsense";
  EXPECT_TRUE(absl::IsInvalidArgument(Server(settings, {}).Start().status()));
}

TEST(ServerTest, CallsThatRunMayFinishDuringShutdown) {
  FakeManager manager;
  Server server({}, {&manager});
  const auto address = server.Start();
  ASSERT_TRUE(address.ok());
  const auto channel = Connect(config::ToString(*address), {});
  const auto stub = v1::ManagerService::NewStub(*channel);
  grpc::ClientContext context;
  SetTimeout(context, 20s);
  v1::ListDecisionsRequest request;
  request.set_limit(1);
  v1::ListDecisionsResponse response;
  std::mutex mutex;
  std::condition_variable done;
  std::optional<grpc::Status> result;
  stub->async()->ListDecisions(&context, &request, &response, [&](grpc::Status status) {
    const std::lock_guard lock(mutex);
    result = status;
    done.notify_all();
  });
  manager.WaitForCall();
  std::thread shutdown([&] { server.Shutdown(10s); });
  manager.Release();
  shutdown.join();
  std::unique_lock lock(mutex);
  ASSERT_TRUE(done.wait_for(lock, 10s, [&] { return result.has_value(); }));
  EXPECT_TRUE(result->ok()) << result->error_message();
}

TEST(ServerTest, AMessageBeyondTheLimitIsRefused) {
  FakeManager manager;
  Server::Settings settings;
  settings.max_receive_bytes = 1024;
  Server server(settings, {&manager});
  ASSERT_TRUE(server.Start().ok());
  const auto stub = v1::ManagerService::NewStub(server.InProcessChannel());
  grpc::ClientContext context;
  SetTimeout(context, 10s);
  v1::ListDecisionsRequest request;
  request.mutable_key()->set_name(std::string(4096, 'x'));
  v1::ListDecisionsResponse response;
  EXPECT_EQ(stub->ListDecisions(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace krypton::rpc
