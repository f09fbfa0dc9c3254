#include "manager/platform/kubernetes/proof/reporter_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <future>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/resource/key.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using namespace std::chrono_literals;

// A token that says when it ends, as real ones do.
std::string Token(const std::string& name, std::chrono::seconds left = 3600s) {
  const auto end = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + left);
  return absl::StrCat("h.", absl::WebSafeBase64Escape(absl::StrCat("{\"exp\":", end, "}")), ".",
                      name);
}

class ReporterProofTest : public testing::Test {
 protected:
  ReporterProofTest() {
    reviewer_.Start();
    pods_["uid-1"] = {"default", "echo-1", resource::AgentKey("default", "echo")};
  }

  // The API server's answer to a review: by the token's last part.
  FakeReply Answer(const FakeRequest& request) {
    ++asked_;
    const boost::json::value review = *ParseJson(request.body);
    const boost::json::object& spec = *ObjectAt(review.get_object(), "spec");
    EXPECT_EQ(boost::json::serialize(*ArrayAt(spec, "audiences")), R"(["krypton"])");
    const std::string token(StringAt(spec, "token"));
    const std::string name = token.substr(token.rfind('.') + 1);
    if (name == "down") return Refusal(500, "InternalError");
    if (name == "forged") {
      return {.code = 201, .body = R"({"status":{"authenticated":false,"error":"bad signature"}})"};
    }
    const std::string audience = name == "foreign" ? "https://kubernetes.default.svc" : "krypton";
    const std::string user = name == "person" ? "jane" : "system:serviceaccount:default:echo";
    const std::string extra =
        name == "unbound"
            ? ""
            : R"("authentication.kubernetes.io/pod-name":["echo-1"],"authentication.kubernetes.io/pod-uid":[")" +
                  name + "\"]";
    return {
        .code = 201,
        .body = absl::StrCat(R"({"status":{"authenticated":true,"audiences":[")", audience,
                             R"("],"user":{"username":")", user, R"(","extra":{)", extra, "}}}}")};
  }

  manager::ReporterClaim Sidecar(const std::string& token) const {
    manager::ReporterClaim claim;
    claim.kind = v1::REPORTER_KIND_SIDECAR;
    claim.instance = "uid-1";
    claim.key = resource::AgentKey("default", "echo");
    claim.token = token;
    return claim;
  }
  absl::Status Judge(manager::ReporterClaim claim) {
    std::promise<absl::Status> verdict;
    proof_.Authenticate(std::move(claim),
                        [&](absl::Status status) { verdict.set_value(std::move(status)); });
    return verdict.get_future().get();
  }

  std::atomic<int> asked_ = 0;
  FakeApiServer server_{[this](const FakeRequest& request) { return Answer(request); }};
  prometheus::Registry metrics_;
  Client client_{server_.config(), TokenReviewClientSettings(), metrics_};
  TokenReviewer reviewer_{client_, {}, metrics_};
  std::map<std::string, KnownPod> pods_;
  ReporterProof proof_{
      reviewer_, {"krypton-gateway"}, [this](const std::string& uid) -> std::optional<KnownPod> {
        const auto it = pods_.find(uid);
        return it == pods_.end() ? std::nullopt : std::optional(it->second);
      }};
};

TEST_F(ReporterProofTest, ASidecarWithItsOwnPodsTokenIsBelieved) {
  EXPECT_TRUE(Judge(Sidecar(Token("uid-1"))).ok());
}

TEST_F(ReporterProofTest, NoForgedOrForeignTokenIs) {
  EXPECT_TRUE(absl::IsUnauthenticated(Judge(Sidecar(""))));
  for (const char* token : {"forged", "foreign", "person", "unbound"}) {
    const absl::Status verdict = Judge(Sidecar(Token(token)));
    EXPECT_TRUE(absl::IsUnauthenticated(verdict)) << token << ": " << verdict;
  }
  EXPECT_TRUE(absl::IsUnauthenticated(Judge(Sidecar(std::string(20'000, 'x')))));
}

TEST_F(ReporterProofTest, NobodySpeaksForAnotherPodOrAgent) {
  manager::ReporterClaim other_pod = Sidecar(Token("uid-2"));
  EXPECT_TRUE(absl::IsPermissionDenied(Judge(other_pod)));
  manager::ReporterClaim other_agent = Sidecar(Token("uid-1"));
  other_agent.key = resource::AgentKey("default", "other");
  EXPECT_TRUE(absl::IsPermissionDenied(Judge(other_agent)));
  other_agent.key = resource::ModelKey("default", "echo");
  EXPECT_TRUE(absl::IsPermissionDenied(Judge(other_agent)));
  pods_["uid-1"].name = "echo-2";
  EXPECT_TRUE(absl::IsPermissionDenied(Judge(Sidecar(Token("uid-1")))));
}

TEST_F(ReporterProofTest, APodThatIsNotKnownYetMayComeAgain) {
  pods_.clear();
  EXPECT_TRUE(absl::IsUnavailable(Judge(Sidecar(Token("uid-1")))));
}

TEST_F(ReporterProofTest, AGatewayIsKnownByItsCertificate) {
  manager::ReporterClaim gateway;
  gateway.kind = v1::REPORTER_KIND_GATEWAY;
  gateway.instance = "gateway-1";
  gateway.peer_names = {"localhost", "krypton-gateway"};
  EXPECT_TRUE(Judge(gateway).ok());
  gateway.peer_names = {"krypton-proxy"};
  gateway.token = Token("uid-1");
  EXPECT_TRUE(absl::IsPermissionDenied(Judge(gateway)));
  EXPECT_EQ(asked_, 0);
}

TEST_F(ReporterProofTest, AStrangerWhoComesAgainAndAgainDoesNotFillTheLog) {
  const auto warnings = [] {
    return log::GetCounts().messages[static_cast<int>(log::Level::kWarn)];
  };
  const uint64_t before = warnings();
  manager::ReporterClaim gateway;
  gateway.kind = v1::REPORTER_KIND_GATEWAY;
  manager::ReporterClaim other_agent = Sidecar(Token("uid-1"));
  other_agent.key = resource::AgentKey("default", "other");
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Judge(gateway).ok());
    EXPECT_FALSE(Judge(other_agent).ok());
    EXPECT_FALSE(Judge(Sidecar(Token("forged"))).ok());
  }
  EXPECT_EQ(warnings() - before, 3u) << "one of each kind";
}

TEST_F(ReporterProofTest, AnAnswerIsRememberedUntilTheTokenEnds) {
  const std::string token = Token("uid-1");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Judge(Sidecar(token)).ok());
  EXPECT_EQ(asked_, 1);
  const std::string forged = Token("forged");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Judge(Sidecar(forged)).ok());
  EXPECT_EQ(asked_, 2);
  const std::string ending = Token("uid-1", 0s);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Judge(Sidecar(ending)).ok());
  EXPECT_EQ(asked_, 4);
}

TEST_F(ReporterProofTest, WhatCannotBeAskedIsNotRefusedForGood) {
  EXPECT_TRUE(absl::IsUnavailable(Judge(Sidecar(Token("down")))));
  reviewer_.Stop();
  EXPECT_TRUE(absl::IsUnavailable(Judge(Sidecar(Token("uid-1")))));
}

}  // namespace
}  // namespace krypton::kube
