#include "manager/platform/kubernetes/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "manager/platform/kubernetes/client/api_status.h"
#include "manager/platform/kubernetes/client/json.h"
#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const GroupVersionResource kPods = {"", "v1", "pods"};
const GroupVersionResource kDeployments = {"apps", "v1", "deployments"};

ClientSettings Quick() {
  ClientSettings settings;
  settings.qps = 10'000;
  settings.burst = 10'000;
  settings.min_backoff = std::chrono::milliseconds(1);
  settings.max_backoff = std::chrono::milliseconds(5);
  return settings;
}

std::string Text(const FakeRequest& request, const std::string& key) {
  const auto it = request.query.find(key);
  return it == request.query.end() ? "" : it->second;
}

double Requests(prometheus::Registry& metrics, const std::string& code) {
  for (const auto& family : metrics.Collect()) {
    if (family.name != "rest_client_requests_total") continue;
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) {
        if (label.name == "code" && label.value == code) return metric.counter.value;
      }
    }
  }
  return 0;
}

TEST(ClientTest, GetsAnObjectAndCountsIt) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.body = ObjectText("a", 7)}; });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  for (int i = 0; i < 3; ++i) {
    const auto pod = client.Get(kPods, {"default", "a"});
    ASSERT_TRUE(pod.ok()) << pod.status();
    EXPECT_EQ(MetadataAt(pod->get_object(), "resourceVersion"), "7");
  }
  EXPECT_EQ(server.requests()[0].path, "/api/v1/namespaces/default/pods/a");
  EXPECT_EQ(server.requests()[0].headers["host"],
            "127.0.0.1:" + std::to_string(server.config().port));
  EXPECT_EQ(Requests(metrics, "200"), 3);
}

TEST(ClientTest, ListsPageByPage) {
  FakeApiServer server([](const FakeRequest& request) {
    if (Text(request, "continue").empty()) return ListReply(5, {ObjectText("a", 1)}, "to/be+c");
    return ListReply(5, {ObjectText("b", 2), ObjectText("c", 3)});
  });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  std::vector<std::string> names;
  const auto version = client.List(
      kPods, "", {.label_selector = "krypton.ai/agent,a in (b, c)", .field_selector = {}},
      [&](const boost::json::object& pod) { names.emplace_back(MetadataAt(pod, "name")); });
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, "5");
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].path, "/api/v1/pods");
  EXPECT_EQ(Text(requests[0], "limit"), "500");
  EXPECT_EQ(Text(requests[0], "labelSelector"), "krypton.ai/agent,a in (b, c)");
  EXPECT_EQ(Text(requests[1], "continue"), "to/be+c");
}

TEST(ClientTest, AppliesAsTheServerWantsIt) {
  FakeApiServer server([](const FakeRequest& request) { return FakeReply{.body = request.body}; });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  const boost::json::object intent = {{"kind", "Deployment"}};
  ASSERT_TRUE(client.Apply(kDeployments, {"default", "echo"}, intent).ok());
  ASSERT_TRUE(client
                  .Apply(kDeployments, {"default", "echo"}, intent,
                         {.subresource = "status", .force = false})
                  .ok());
  const auto requests = server.requests();
  EXPECT_EQ(requests[0].method, "PATCH");
  EXPECT_EQ(requests[0].path, "/apis/apps/v1/namespaces/default/deployments/echo");
  EXPECT_EQ(requests[0].headers.at("content-type"), "application/apply-patch+yaml");
  EXPECT_EQ(Text(requests[0], "fieldManager"), "krypton-manager");
  EXPECT_EQ(Text(requests[0], "force"), "true");
  EXPECT_EQ(requests[0].body, R"({"kind":"Deployment"})");
  EXPECT_EQ(requests[1].path, "/apis/apps/v1/namespaces/default/deployments/echo/status");
  EXPECT_EQ(Text(requests[1], "force"), "");
}

TEST(ClientTest, DeletesWithPreconditions) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.body = "{}"}; });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  ASSERT_TRUE(client.Delete(kPods, {"default", "a"}, {.uid = "u1", .resource_version = "9"}).ok());
  EXPECT_EQ(server.requests()[0].method, "DELETE");
  EXPECT_THAT(server.requests()[0].body,
              HasSubstr(R"("preconditions":{"uid":"u1","resourceVersion":"9"})"));
  EXPECT_THAT(server.requests()[0].body, HasSubstr(R"("propagationPolicy":"Background")"));
}

TEST(ClientTest, RefusalsKeepTheirReason) {
  FakeApiServer server([](const FakeRequest&) { return Refusal(409, "AlreadyExists"); });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  const auto made = client.Create(kPods, "default", {{"kind", "Pod"}});
  EXPECT_TRUE(absl::IsAlreadyExists(made.status())) << made.status();
  EXPECT_EQ(Reason(made.status()), "AlreadyExists");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(ClientTest, A429IsTriedAgainWhenTheServerSaid) {
  std::atomic<int> calls = 0;
  FakeApiServer server([&](const FakeRequest&) {
    if (++calls < 3) {
      FakeReply reply = Refusal(429, "TooManyRequests");
      reply.headers["Retry-After"] = "0";
      return reply;
    }
    return FakeReply{.body = "{}"};
  });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  EXPECT_TRUE(client.Create(kPods, "default", {}).ok());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(Requests(metrics, "429"), 2);
}

TEST(ClientTest, RetryAfterIsWaitedFor) {
  std::atomic<int> calls = 0;
  FakeApiServer server([&](const FakeRequest&) {
    FakeReply reply = Refusal(503, "ServiceUnavailable");
    reply.headers["Retry-After"] = "1";
    return ++calls == 1 ? reply : FakeReply{.body = "{}"};
  });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.Get(kPods, {"default", "a"}).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(990));
}

TEST(ClientTest, AServerErrorIsRepeatedOnlyForWhatMayBe) {
  FakeApiServer server([](const FakeRequest&) { return Refusal(500, "InternalError"); });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  EXPECT_FALSE(client.Get(kPods, {"default", "a"}).ok());
  EXPECT_EQ(server.requests().size(), 5u);
  EXPECT_FALSE(client.Create(kPods, "default", {}).ok());
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST(ClientTest, ATokenThatWasTurnedIsReadAgainAfter401) {
  const std::string file = testing::TempDir() + "client_test_token." + std::to_string(getpid());
  std::ofstream(file) << "one\n";
  std::atomic<bool> turned = false;
  FakeApiServer server([&](const FakeRequest& request) {
    const std::string expected = turned ? "Bearer two" : "Bearer one";
    if (request.headers.at("authorization") == expected) return FakeReply{.body = "{}"};
    return Refusal(401, "Unauthorized");
  });
  Config config = server.config();
  config.token.file = file;
  prometheus::Registry metrics;
  Client client(config, Quick(), metrics);
  EXPECT_TRUE(client.Get(kPods, {"default", "a"}).ok());
  std::ofstream(file) << "two\n";
  turned = true;
  EXPECT_TRUE(client.Create(kPods, "default", {}).ok());
  EXPECT_EQ(Requests(metrics, "401"), 1);
  std::filesystem::remove(file);
}

TEST(ClientTest, AWriteThatTheGateRefusesNeverArrives) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.body = "{}"}; });
  ClientSettings settings = Quick();
  std::atomic<bool> leader = true;
  settings.write_gate = [&] {
    return leader ? absl::OkStatus() : absl::FailedPreconditionError("not the leader");
  };
  prometheus::Registry metrics;
  Client client(server.config(), settings, metrics);
  EXPECT_TRUE(client.Create(kPods, "default", {}).ok());
  leader = false;
  EXPECT_TRUE(absl::IsFailedPrecondition(client.Create(kPods, "default", {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(client.Apply(kPods, {"d", "a"}, {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(client.Delete(kPods, {"d", "a"})));
  EXPECT_TRUE(client.Get(kPods, {"default", "a"}).ok());
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(ClientTest, OnlyTheConfiguredAuthorityAndNameAreTrusted) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.body = "{}"}; });
  prometheus::Registry metrics;
  ClientSettings settings = Quick();
  settings.max_attempts = 1;
  const auto get = [&](auto change) {
    Config config = server.config();
    change(config);
    return Client(config, settings, metrics).Get(kPods, {"d", "a"}).status();
  };
  EXPECT_TRUE(get([](Config&) {}).ok());
  EXPECT_TRUE(get([](Config& config) { config.tls_server_name = "localhost"; }).ok());
  const absl::Status strange = get(
      [](Config& config) { config.ca.data = rpc::MakeTestCertificate({.authority = true}).cert; });
  EXPECT_TRUE(absl::IsUnavailable(strange)) << strange;
  EXPECT_THAT(std::string(strange.message()), HasSubstr("is not trusted"));
  // Neither do the system's authorities count when one is given, nor without it a private one.
  EXPECT_FALSE(get([](Config& config) { config.ca = {}; }).ok());
  const absl::Status other_name =
      get([](Config& config) { config.tls_server_name = "kubernetes.default.svc"; });
  EXPECT_THAT(std::string(other_name.message()), HasSubstr("not trusted"));
  EXPECT_FALSE(get([](Config& config) { config.ca.data = "nonsense"; }).ok());
  for (const auto& request : server.requests())
    EXPECT_EQ(request.headers.at("accept-encoding"), "identity");
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(ClientTest, AWatchGivesEventsAsTheyCome) {
  FakeApiServer server([](const FakeRequest&) {
    const std::string line = EventLine("MODIFIED", "a", 12);
    return FakeReply{.pieces = {EventLine("ADDED", "a", 11) + line.substr(0, 10), line.substr(10)},
                     .end = FakeReply::End::kHold};
  });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  std::vector<std::string> seen;
  const absl::Status status = client.Watch(
      kPods, "default", {.label_selector = {}, .field_selector = {}, .resource_version = "10"}, {},
      [&](std::string_view type, const boost::json::object& object) {
        seen.push_back(std::string(type) + std::string(MetadataAt(object, "resourceVersion")));
        return seen.size() < 2;
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ElementsAre("ADDED11", "MODIFIED12"));
  EXPECT_EQ(Text(server.requests()[0], "allowWatchBookmarks"), "true");
  EXPECT_EQ(Text(server.requests()[0], "resourceVersion"), "10");
}

TEST(ClientTest, AWatchThatSaysNothingCanBeStopped) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.end = FakeReply::End::kHold}; });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  for (const bool by_shutdown : {false, true}) {
    std::stop_source stop;
    absl::Status status;
    const size_t before = server.requests().size();
    std::thread watch([&] {
      status =
          client.Watch(kPods, "", {}, stop.get_token(), [](auto, const auto&) { return true; });
    });
    ASSERT_TRUE(WaitFor([&] { return server.requests().size() > before; }));
    if (by_shutdown) {
      client.Shutdown();
    } else {
      stop.request_stop();
    }
    watch.join();
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
  }
  EXPECT_TRUE(absl::IsCancelled(client.Get(kPods, {"d", "a"}).status()));
}

TEST(ClientTest, AnAnswerWithoutEndIsCutOff) {
  FakeApiServer server([](const FakeRequest&) {
    return FakeReply{.pieces = std::vector<std::string>(64, std::string(1 << 20, 'x'))};
  });
  ClientSettings settings = Quick();
  settings.max_answer_bytes = 1 << 20;
  prometheus::Registry metrics;
  Client client(server.config(), settings, metrics);
  EXPECT_TRUE(absl::IsResourceExhausted(client.Get(kPods, {"d", "a"}).status()));
}

TEST(ClientTest, TheRateLimitHolds) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.body = "{}"}; });
  ClientSettings settings;
  settings.qps = 50;
  settings.burst = 5;
  prometheus::Registry metrics;
  Client client(server.config(), settings, metrics);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(client.Get(kPods, {"d", "a"}).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(190));
}

TEST(ClientTest, ReadsALog) {
  FakeApiServer server([](const FakeRequest&) { return FakeReply{.pieces = {"one\ntw", "o\n"}}; });
  prometheus::Registry metrics;
  Client client(server.config(), Quick(), metrics);
  std::string text;
  const absl::Status status =
      client.ReadLog({"default", "a"}, {.container = "agent", .follow = true, .tail_lines = 10}, {},
                     [&](std::string_view piece) {
                       text += piece;
                       return true;
                     });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(text, "one\ntwo\n");
  EXPECT_EQ(Text(server.requests()[0], "tailLines"), "10");
  EXPECT_EQ(server.requests()[0].path, "/api/v1/namespaces/default/pods/a/log");
}

}  // namespace
}  // namespace krypton::kube
