#include "common/rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

namespace krypton::rpc {
namespace {

TEST(StatusTest, DetailsSurviveTheWayThroughGrpc) {
  absl::Status error = Error(absl::StatusCode::kNotFound, "AGENT_NOT_FOUND", "no such agent",
                             {{"agent", "default/echo"}});
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(3);
  AddDetail(error, retry);

  const grpc::Status wire = ToGrpc(error);
  EXPECT_EQ(wire.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(wire.error_message(), "no such agent");
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(wire.error_details()));
  ASSERT_EQ(status.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "krypton.ai");
  EXPECT_EQ(info.reason(), "AGENT_NOT_FOUND");
  EXPECT_EQ(info.metadata().at("agent"), "default/echo");

  const absl::Status back = FromGrpc(wire);
  EXPECT_EQ(back, error);
  EXPECT_EQ(Reason(back), "AGENT_NOT_FOUND");
}

TEST(StatusTest, EachErrorHasExactlyOneErrorInfo) {
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(ToGrpc(absl::UnavailableError("x")).error_details()));
  ASSERT_EQ(status.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "UNAVAILABLE");
}

TEST(StatusTest, AnInvalidFieldIsNamed) {
  const absl::Status status = InvalidField("page_size", "-1 is negative");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(GetDetail(status, bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "page_size");
  EXPECT_EQ(status.message(), "page_size: -1 is negative");
}

TEST(StatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(StatusTest, ALongMessageIsCutBetweenCharacters) {
  std::string message(1023, 'x');
  message += "\u00e9";
  EXPECT_EQ(ToGrpc(absl::InternalError(message)).error_message(), std::string(1023, 'x'));
}

TEST(StatusTest, GarbageInDetailsIsNoCrash) {
  const grpc::Status wire(grpc::StatusCode::INTERNAL, "x", "\xff\xff\xff");
  EXPECT_EQ(FromGrpc(wire), absl::InternalError("x"));
}

}  // namespace
}  // namespace krypton::rpc
