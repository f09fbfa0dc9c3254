#include "gateway/service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/testing/wait_for.h"
#include "gateway/testing/mesh.h"
#include "krypton/v1/gateway.grpc.pb.h"

namespace krypton::gateway {
namespace {

using ::testing::HasSubstr;
using testing::Mesh;

http::Task<void> SayInPieces(http::Exchange& exchange) {
  const http::Field fields[] = {{"x-kind", "pieces"}};
  const auto body = co_await exchange.HoldBody(1 << 20);
  const std::string copy(body.ok() ? *body : "broken");
  co_await exchange.Start(201, fields);
  co_await exchange.Write("one ");
  co_await exchange.Write(copy);
  co_await exchange.Finish();
}

// Ends when its client goes.
http::Task<void> Hold(http::Exchange& exchange) {
  http::Event never(exchange.worker());
  co_await exchange.WaitFor(never);
  co_await exchange.Respond(200, {}, "");
}

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    EXPECT_TRUE(server_.Start().ok());
    stub_ = v1::GatewayService::NewStub(server_.InProcessChannel());
    request_.set_namespace_("default");
    request_.set_name("echo");
  }
  ~ServiceTest() override { server_.Shutdown(std::chrono::milliseconds(0)); }

  struct Answer {
    v1::ResponseHead head;
    std::string data;
    absl::Status status;
  };
  Answer Invoke(std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    const auto reader = stub_->Invoke(&context, request_);
    Answer answer;
    for (v1::InvokeResponse part; reader->Read(&part);) {
      if (part.has_head()) answer.head = part.head();
      answer.data += part.data();
    }
    answer.status = rpc::FromGrpc(reader->Finish());
    return answer;
  }

  Mesh mesh_;
  Service service_{mesh_.routes(), mesh_.traffic(), mesh_.workers()};
  rpc::Server server_{{}, {service_.grpc_service()}};
  std::unique_ptr<v1::GatewayService::Stub> stub_;
  v1::InvokeRequest request_;
};

TEST_F(ServiceTest, InvokeCallsModels) {
  mesh_.RegisterModel({&mesh_.AddReplica(SayInPieces)});
  request_.set_name("llama");
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {R"({"a":1})", R"({"model":"default/llama","a":1})"},
      {" { } ", R"( {"model":"default/llama" } )"},
      {R"({"model":"llama"})", R"({"model":"llama"})"},
  };
  for (const auto& [body, arrived] : bodies) {
    request_.set_body(body);
    const Answer answer = Invoke();
    EXPECT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_EQ(answer.data, "one " + arrived);
  }
  request_.set_body(R"({"model":"other"})");
  EXPECT_TRUE(absl::IsInvalidArgument(Invoke().status));
  request_.set_body("no JSON");
  EXPECT_TRUE(absl::IsInvalidArgument(Invoke().status));
  request_.set_body("{}");
  request_.set_path("/metrics");
  EXPECT_TRUE(absl::IsInvalidArgument(Invoke().status));
}

TEST_F(ServiceTest, ModelsAreAmongTheRoutes) {
  mesh_.Register({});
  mesh_.RegisterModel({&mesh_.AddReplica(SayInPieces)});
  grpc::ClientContext context;
  v1::GetRouteRequest one;
  one.set_namespace_("default");
  one.set_name("llama");
  v1::GetRouteResponse route;
  ASSERT_TRUE(stub_->GetRoute(&context, one, &route).ok());
  EXPECT_EQ(route.route().key().kind(), v1::RESOURCE_KIND_MODEL);
  EXPECT_EQ(route.route().endpoints_size(), 1);
  grpc::ClientContext list_context;
  v1::ListRoutesResponse all;
  ASSERT_TRUE(stub_->ListRoutes(&list_context, {}, &all).ok());
  EXPECT_EQ(all.items_size(), 2);
}

TEST_F(ServiceTest, InvokeStreamsTheAnswer) {
  mesh_.Register({&mesh_.AddReplica(SayInPieces)});
  request_.set_body(std::string(150'000, 'b'));
  const Answer answer = Invoke();
  EXPECT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.head.status(), 201);
  EXPECT_THAT(answer.head.ShortDebugString(), HasSubstr("pieces"));
  EXPECT_EQ(answer.data.size(), 4 + request_.body().size());
  EXPECT_TRUE(answer.data == "one " + request_.body());
  EXPECT_TRUE(WaitFor([&] { return mesh_.Metric("krypton_invocations_total", "201") == 1; }));
}

TEST_F(ServiceTest, InvokeWaitsInTheSameQueue) {
  mesh_.Register({});
  std::thread later([&] {
    EXPECT_TRUE(WaitFor([&] { return mesh_.totals().waiting == 1; }));
    mesh_.Register({&mesh_.AddReplica(SayInPieces)});
  });
  EXPECT_EQ(Invoke().head.status(), 201);
  later.join();
}

TEST_F(ServiceTest, ErrorsOfTheMeshAreStatuses) {
  mesh_.Register({});
  request_.set_name("other");
  Answer answer = Invoke();
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kNotFound) << answer.status;
  EXPECT_EQ(rpc::Reason(answer.status), "AGENT_NOT_FOUND");
  EXPECT_EQ(answer.head.status(), 0);
  request_.set_name("Not A Label");
  answer = Invoke();
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServiceTest, TheDeadlineEndsTheCallAndFreesItsSlot) {
  mesh_.Register({&mesh_.AddReplica(Hold)});
  const Answer answer = Invoke(std::chrono::milliseconds(200));
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(WaitFor([&] { return mesh_.totals().in_flight == 0; }));
}

TEST_F(ServiceTest, CancellingTheRpcCancelsTheCallWhereverItIs) {
  mesh_.Register({});
  grpc::ClientContext context;
  const auto reader = stub_->Invoke(&context, request_);
  EXPECT_TRUE(WaitFor([&] { return mesh_.totals().waiting == 1; }));
  context.TryCancel();
  EXPECT_TRUE(WaitFor([&] { return mesh_.totals().waiting == 0; }));
  v1::InvokeResponse part;
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServiceTest, ASlowReaderSlowsTheAgent) {
  // The replica's, which outlives this function.
  const auto written = std::make_shared<std::atomic<int64_t>>(0);
  mesh_.Register({&mesh_.AddReplica([written](http::Exchange& exchange) -> http::Task<void> {
    const std::string piece(64 * 1024, 'x');
    co_await exchange.Start(200, {});
    for (int i = 0; i < 2000; ++i) {  // 125 MiB.
      const bool taken = co_await exchange.Write(piece);
      if (!taken) break;
      *written += static_cast<int64_t>(piece.size());
    }
    co_await exchange.Finish();
  })});
  grpc::ClientContext context;
  const auto reader = stub_->Invoke(&context, request_);
  v1::InvokeResponse part;
  int64_t received = 0, furthest_ahead = 0;
  for (int i = 0; i < 300 && reader->Read(&part); ++i) {
    received += static_cast<int64_t>(part.data().size());
    furthest_ahead = std::max(furthest_ahead, written->load() - received);
  }
  EXPECT_LT(furthest_ahead, 32 << 20);
  context.TryCancel();
  while (reader->Read(&part)) {
  }
  reader->Finish();
}

TEST_F(ServiceTest, RoutesArePagesAndSingleOnes) {
  mesh_.Register({&mesh_.AddReplica(Hold)}, /*concurrency=*/3);
  grpc::ClientContext context;
  v1::ListRoutesRequest list;
  v1::ListRoutesResponse routes;
  ASSERT_TRUE(stub_->ListRoutes(&context, list, &routes).ok());
  EXPECT_EQ(routes.page_size(), 20);
  EXPECT_EQ(routes.total(), 1);
  ASSERT_EQ(routes.items_size(), 1);
  EXPECT_EQ(routes.items(0).endpoints(0).endpoint().concurrency(), 3);

  grpc::ClientContext second;
  list.set_namespace_("elsewhere");
  list.set_page_size(1000);
  ASSERT_TRUE(stub_->ListRoutes(&second, list, &routes).ok());
  EXPECT_EQ(routes.total(), 0);
  EXPECT_EQ(routes.page_size(), 100);

  grpc::ClientContext third;
  list.set_page(-1);
  EXPECT_EQ(stub_->ListRoutes(&third, list, &routes).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);

  grpc::ClientContext fourth;
  v1::GetRouteRequest get;
  v1::GetRouteResponse route;
  get.set_namespace_("default");
  get.set_name("none");
  EXPECT_EQ(stub_->GetRoute(&fourth, get, &route).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace krypton::gateway
