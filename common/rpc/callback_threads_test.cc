#include "common/rpc/callback_threads.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>

#include "common/rpc/channel.h"

namespace krypton::rpc {
namespace {

using namespace std::chrono_literals;

// A call, and all that holds its channel.
struct LoneCall {
  explicit LoneCall(const std::shared_ptr<grpc::Channel>& channel) : stub(channel) {}

  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::Slice nothing;
  grpc::ByteBuffer request{&nothing, 1};
  grpc::ByteBuffer response;
};

TEST(CallbackThreadsTest, TheLastChannelMayGoOnOneOfThem) {
  for (int i = 0; i < 200; ++i) {
    auto call = std::make_unique<LoneCall>(*Connect("127.0.0.1:1", {}));
    std::promise<grpc::StatusCode> ended;
    call->stub.UnaryCall(&call->context, "/krypton.v1.None/None", {}, &call->request,
                         &call->response, [&](const grpc::Status& status) {
                           call = nullptr;
                           ended.set_value(status.error_code());
                         });
    auto future = ended.get_future();
    ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(future.get(), grpc::StatusCode::UNAVAILABLE);
  }
}

}  // namespace
}  // namespace krypton::rpc
