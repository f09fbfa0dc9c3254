#include "gateway/route.h"

#include <gtest/gtest.h>

#include <vector>

namespace krypton::gateway {
namespace {

struct Row {
  std::string target;
  RouteKind kind;
  std::string key;
  std::string rest;
  std::string query;
};

TEST(RouteTest, Table) {
  const std::vector<Row> rows = {
      {"/v1/agents/default/echo", RouteKind::kAgent, "default/echo", "", ""},
      {"/v1/agents/default/echo/", RouteKind::kAgent, "default/echo", "/", ""},
      {"/v1/agents/default/echo?x=1", RouteKind::kAgent, "default/echo", "", "?x=1"},
      {"/v1/agents/default/echo/a/b?x=/..", RouteKind::kAgent, "default/echo", "/a/b", "?x=/.."},
      // The rest is the agent's: passed as received.
      {"/v1/agents/d/e//a/../%2e%2E/%zz", RouteKind::kAgent, "d/e", "//a/../%2e%2E/%zz", ""},
      {"/v1/agents/d/%65cho/x", RouteKind::kAgent, "d/echo", "/x", ""},
      {"/v1/agents/%64/e", RouteKind::kAgent, "d/e", "", ""},
      // Refused as written.
      {"/v1/agents/d%2Fe/f", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/e%2f..%2fx", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/../e", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/..", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/%2e%2e/x", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/%2", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/%zz", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d/e%00", RouteKind::kBadRequest, "", "", ""},
      {"/v1/agents/d\\e/f", RouteKind::kBadRequest, "", "", ""},
      // Nothing of ours.
      {"/", RouteKind::kUnknown, "", "", ""},
      {"*", RouteKind::kUnknown, "", "", ""},
      {"", RouteKind::kUnknown, "", "", ""},
      {"/v1/agents", RouteKind::kUnknown, "", "", ""},
      {"/v1/agents/", RouteKind::kUnknown, "", "", ""},
      {"/v1/agents/d", RouteKind::kUnknown, "", "", ""},
      {"/v1/agents/d/", RouteKind::kUnknown, "", "", ""},
      {"/v1/agents//e", RouteKind::kUnknown, "", "", ""},
      {"/V1/agents/d/e", RouteKind::kUnknown, "", "", ""},
      {"//v1/agents/d/e", RouteKind::kUnknown, "", "", ""},
      {"/v1/../v1/agents/d/e", RouteKind::kUnknown, "", "", ""},
      {"/v1/models", RouteKind::kModelList, "", "", ""},
      {"/v1/models/org%2Fname:Q4", RouteKind::kModel, "org/name:Q4", "", ""},
      {"/v1/models/org%2", RouteKind::kBadRequest, "", "", ""},
      {"/v1/models/org/name", RouteKind::kModel, "org/name", "", ""},
      {"/v1/modelsx", RouteKind::kUnknown, "", "", ""},
      {"/v1/chat/completions", RouteKind::kModelCall, "", "/v1/chat/completions", ""},
      {"/v1/completions?a=/b", RouteKind::kModelCall, "", "/v1/completions", "?a=/b"},
      {"/v1/embeddings", RouteKind::kModelCall, "", "/v1/embeddings", ""},
      {"/v1/responses", RouteKind::kModelCall, "", "/v1/responses", ""},
      {"/v1/chat/completions/", RouteKind::kUnknown, "", "", ""},
      {"/v1/chat", RouteKind::kUnknown, "", "", ""},
      {"/v1/audio/speech", RouteKind::kUnknown, "", "", ""},
  };
  for (const Row& row : rows) {
    const Route route = ParseRoute(row.target);
    EXPECT_EQ(route.kind, row.kind) << row.target;
    if (row.kind == RouteKind::kBadRequest) continue;
    EXPECT_EQ(route.key(), row.key) << row.target;
    EXPECT_EQ(route.rest, row.rest) << row.target;
    EXPECT_EQ(route.query, row.query) << row.target;
    if (row.kind != RouteKind::kAgent) continue;
    EXPECT_EQ(std::string(route.prefix) + row.rest + row.query, row.target);
  }
}

TEST(RouteTest, ADecodedKeySurvivesACopyOfItsRoute) {
  const std::string target = "/v1/agents/d/%65";
  const Route copy = [&] { return ParseRoute(target); }();
  EXPECT_EQ(copy.key(), "d/e");
}

TEST(RouteTest, WithoutARestTheInvocationPathIsCalled) {
  const auto text = [](std::string_view target, std::string_view invocation_path) {
    return TargetFor(ParseRoute(target), invocation_path).ToString();
  };
  EXPECT_EQ(text("/v1/agents/d/e", "/run"), "/run");
  EXPECT_EQ(text("/v1/agents/d/e", ""), "/");
  EXPECT_EQ(text("/v1/agents/d/e?a=1", "/run"), "/run?a=1");
  EXPECT_EQ(text("/v1/agents/d/e?a=1", "/run?b=2"), "/run?b=2&a=1");
  EXPECT_EQ(text("/v1/agents/d/e?", "/run"), "/run?");
  EXPECT_EQ(text("/v1/agents/d/e/", "/run"), "/");
  EXPECT_EQ(text("/v1/agents/d/e//x?y", "/run"), "//x?y");
}

}  // namespace
}  // namespace krypton::gateway
