#include "gateway/invoke.h"

#include <gtest/gtest.h>

#include "common/rpc/status.h"

namespace krypton::gateway {
namespace {

v1::InvokeRequest Request(std::string path = "", std::string method = "") {
  v1::InvokeRequest request;
  request.set_namespace_("default");
  request.set_name("echo");
  request.set_path(std::move(path));
  request.set_method(std::move(method));
  return request;
}

void AddHeader(v1::InvokeRequest& request, std::string name, std::string value) {
  v1::HeaderField& field = *request.add_headers();
  field.set_name(std::move(name));
  field.set_value(std::move(value));
}

TEST(InvokeTest, BecomesAnHttpRequest) {
  v1::InvokeRequest request = Request("/run?x=1");
  request.set_body("body");
  AddHeader(request, "X-Own", "1");
  AddHeader(request, "Host", "mesh.example");
  const auto local = ToLocalRequest(request, "ipv4:10.0.0.7:41000");
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(local->method, "POST");
  EXPECT_EQ(local->target, "/v1/agents/default/echo/run?x=1");
  EXPECT_EQ(local->host, "mesh.example");
  EXPECT_EQ(local->body, "body");
  EXPECT_EQ(local->peer, "10.0.0.7");
  ASSERT_EQ(local->fields.size(), 1u);
  EXPECT_EQ(ToLocalRequest(Request(), "")->method, "GET");
  EXPECT_EQ(ToLocalRequest(Request(), "")->target, "/v1/agents/default/echo");
  EXPECT_EQ(ToLocalRequest(Request("?x"), "ipv6:%5B::1%5D:4")->peer, "::1");
}

TEST(InvokeTest, WhatHttpDoesNotAdmitIsRefused) {
  const auto refused = [](const v1::InvokeRequest& request) {
    return absl::IsInvalidArgument(ToLocalRequest(request, "").status());
  };
  EXPECT_TRUE(refused(Request("run")));
  EXPECT_TRUE(refused(Request("/a b")));
  EXPECT_TRUE(refused(Request("/a\r\nX: y")));
  EXPECT_TRUE(refused(Request("/a#b")));
  EXPECT_TRUE(refused(Request("/" + std::string(9000, 'a'))));
  EXPECT_TRUE(refused(Request("", "GET /x HTTP/1.1\r\nX:")));
  v1::InvokeRequest request = Request();
  request.set_name("../x");
  EXPECT_TRUE(refused(request));
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"X", "a\r\nY: b"},
                                                                  {"X", "a\nb"},
                                                                  {"X Y", "a"},
                                                                  {"", "a"},
                                                                  {"X:", "a"},
                                                                  {"Content-Length", "3"},
                                                                  {"transfer-encoding", "chunked"},
                                                                  {"Connection", "upgrade"}}) {
    request = Request();
    AddHeader(request, name, value);
    EXPECT_TRUE(refused(request)) << name << ": " << value;
  }
  request = Request();
  AddHeader(request, "X", std::string("a\0b", 3));
  EXPECT_TRUE(refused(request));
}

TEST(InvokeTest, AnErrorOfTheMeshIsAStatusWithItsCode) {
  const absl::Status status =
      ToStatus("queue_full",
               R"({"error":{"code":"queue_full","message":"too many","type":"x","param":null}})",
               "default/echo");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "too many");
  EXPECT_EQ(rpc::Reason(status), "QUEUE_FULL");
  EXPECT_EQ(ToStatus("agent_unreachable", "", "x").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ToStatus("start_timeout", "{", "x").code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ToStatus("agent_not_found", "[]", "x").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace krypton::gateway
