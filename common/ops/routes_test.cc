#include "common/ops/routes.h"

#include <gtest/gtest.h>

#include "common/metrics/exposition.h"

namespace krypton::ops {
namespace {

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() : routes_("gateway", std::make_shared<metrics::Registry>("gateway"), true) {}
  transcode::Response Get(const std::string& target,
                          std::vector<transcode::Header> headers = {}) const {
    return routes_.Answer({"GET", target, std::move(headers), "", "127.0.0.1"});
  }
  static std::string Field(const transcode::Response& response, std::string_view name) {
    for (const auto& header : response.headers) {
      if (header.name == name) return header.value;
    }
    return "";
  }

  Routes routes_;
};

TEST_F(RoutesTest, MetricsHaveTheExactContentType) {
  const auto response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Field(response, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(response.body.find("krypton_build_info{"), std::string::npos);
  EXPECT_NE(response.body.find("component=\"gateway\""), std::string::npos);
}

TEST_F(RoutesTest, MetricsAreZippedWhenAsked) {
  const auto response = Get("/metrics", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(Field(response, "Content-Encoding"), "gzip");
  EXPECT_EQ(response.body.substr(0, 2), "\x1f\x8b");
}

TEST_F(RoutesTest, HealthzNeedsNoChecks) {
  routes_.AddReadinessCheck("registry", [] { return absl::UnavailableError("no"); });
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(RoutesTest, HealthzFailsForWhatOnlyARestartCures) {
  routes_.AddLivenessCheck("workers", [] { return absl::UnavailableError("worker 1 is stuck"); });
  EXPECT_EQ(Get("/healthz").status, 503);
  EXPECT_EQ(Get("/healthz").body, "[-]workers: worker 1 is stuck\n");
}

TEST_F(RoutesTest, ReadyzHasALineACheck) {
  absl::Status registry = absl::UnavailableError("no snapshot yet");
  routes_.AddReadinessCheck("listener", [] { return absl::OkStatus(); });
  routes_.AddReadinessNote("manager", [] { return "gone for 5 s"; });
  routes_.AddReadinessCheck("registry", [&] { return registry; });
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz?verbose").body,
            "[+]listener ok\n[-]registry: no snapshot yet\n[+]manager: gone for 5 s\nnot ready\n");
  registry = absl::OkStatus();
  EXPECT_EQ(Get("/readyz").status, 200);
  routes_.SetDraining();
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(RoutesTest, VersionSaysWhatRuns) {
  EXPECT_TRUE(Get("/version").body.starts_with(R"({"component":"gateway","version":"0.)"));
}

TEST_F(RoutesTest, UnknownPathsAndMethodsAreJson) {
  const auto unknown = Get("/nothing");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, R"({"code":5,"message":"Not Found","details":[]})");
  const auto wrong = routes_.Answer({"DELETE", "/metrics", {}, "", ""});
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(Field(wrong, "Allow"), "GET, HEAD");
}

TEST_F(RoutesTest, PlainRoutesSeeTheRequest) {
  Request seen;
  std::string token;
  routes_.Handle("GET", "/drain", [&](const Request& request) {
    seen = request;
    token = request.header("Krypton-Drain-Token");
    return Response{202, "text/plain", {{"X-A", "b"}}, "draining"};
  });
  const auto response = Get("/drain?a=1%202&b=x+y&a=3", {{"krypton-drain-token", "t"}});
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, "draining");
  EXPECT_EQ(Field(response, "X-A"), "b");
  EXPECT_EQ(token, "t");
  EXPECT_EQ(seen.path, "/drain");
  EXPECT_EQ(seen.remote_address, "127.0.0.1");
  EXPECT_EQ(seen.query.count("a"), 2u);
  EXPECT_EQ(seen.query.find("b")->second, "x y");
  EXPECT_EQ(routes_.Answer({"POST", "/drain", {}, "", ""}).status, 405);
  EXPECT_EQ(routes_.Answer({"HEAD", "/drain", {}, "", ""}).status, 202);
}

TEST_F(RoutesTest, TheRestPortHasNoneOfTheFour) {
  const Routes rest("control-plane", std::make_shared<metrics::Registry>("x"), false);
  EXPECT_EQ(rest.Answer({"GET", "/metrics", {}, "", ""}).status, 404);
}

}  // namespace
}  // namespace krypton::ops
