#include "manager/platform/kubernetes/client/api_status.h"

#include <gtest/gtest.h>

#include "common/config/utf8.h"

namespace krypton::kube {
namespace {

absl::Status FromBody(int code, std::string_view body) {
  return ToStatus(ParseApiError(code, body), "get pods \"a/b\"");
}

TEST(ApiStatusTest, KeepsTheServersWords) {
  const absl::Status status =
      FromBody(409,
               R"({"kind":"Status","status":"Failure","message":"the object has been modified",
          "reason":"Conflict","code":409})");
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "get pods \"a/b\": the object has been modified");
  EXPECT_EQ(HttpCode(status), 409);
  EXPECT_EQ(Reason(status), "Conflict");
  EXPECT_TRUE(IsConflict(status));
  EXPECT_FALSE(absl::IsAlreadyExists(status));
}

TEST(ApiStatusTest, TellsItsKindsApart) {
  EXPECT_TRUE(absl::IsAlreadyExists(
      FromBody(409, R"({"kind":"Status","reason":"AlreadyExists","code":409})")));
  EXPECT_TRUE(IsGone(FromBody(410, R"({"kind":"Status","reason":"Expired","code":410})")));
  EXPECT_TRUE(IsInvalid(FromBody(422, R"({"kind":"Status","reason":"Invalid","code":422})")));
  EXPECT_TRUE(absl::IsNotFound(FromBody(404, "404 page not found")));
  EXPECT_TRUE(IsNamespaceTerminating(FromBody(
      403,
      R"({"kind":"Status","message":"unable to create new content in namespace a because it is being terminated"})")));
  EXPECT_EQ(HttpCode(absl::UnavailableError("no connection")), 0);
}

TEST(ApiStatusTest, ReadsRetryAfterAndBoundsMessages) {
  const absl::Status status = FromBody(
      429, R"({"kind":"Status","reason":"TooManyRequests","details":{"retryAfterSeconds":7}})");
  EXPECT_EQ(RetryAfter(status), std::chrono::seconds(7));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(FromBody(500, std::string(100'000, 'x')).message().size(), 1100u);
  EXPECT_EQ(FromBody(502, "").message(), "get pods \"a/b\": HTTP 502");
}

TEST(ApiStatusTest, MessagesAreText) {
  std::string words;
  for (int i = 0; i < 1000; ++i) words += "\xe2\x82\xac";
  for (const std::string& body :
       {R"({"kind":"Status","message":")" + words + R"(","code":422})", "\xff" + words}) {
    const std::string message(FromBody(422, body).message());
    EXPECT_EQ(config::FindInvalidUtf8(message), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace krypton::kube
