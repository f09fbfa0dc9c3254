#include "gateway/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/testing/wait_for.h"
#include "gateway/testing/mesh.h"

namespace krypton::gateway {
namespace {

using ::testing::HasSubstr;
using testing::Mesh;
using testing::Replica;
using ::testing::StartsWith;

// Handlers of replicas. They outlive the requests, so they may capture.

http::Handler Say(std::string text) {
  return [text](http::Exchange& exchange) { return exchange.Respond(200, {}, text); };
}

// What the replica got, as text.
http::Task<void> EchoRequest(http::Exchange& exchange) {
  std::string text(exchange.request().method);
  text.append(" ").append(exchange.request().target).append("\n");
  for (const http::Field& field : exchange.request().fields) {
    for (const char c : field.name) text.push_back(static_cast<char>(std::tolower(c)));
    text.append(": ").append(field.value).append("\n");
  }
  while (true) {
    const auto piece = co_await exchange.ReadBody();
    if (!piece.ok() || piece->empty()) break;
    text.append(*piece);
  }
  exchange.AddResponseHeader("krypton-load", "inflight=1, concurrency=8, parked=0");
  co_await exchange.Respond(200, {}, text);
}

// Answers when it is told to.
struct Gate {
  std::atomic<bool> open{false};
  std::atomic<int> inside{0};
  std::atomic<int> most_inside{0};
  std::atomic<int> clients_gone{0};

  http::Task<void> Handle(http::Exchange& exchange) {
    const int now_inside = ++inside;
    most_inside = std::max(most_inside.load(), now_inside);
    http::Event never(exchange.worker());
    bool gone = false;
    while (!open && !gone) {
      const auto result =
          co_await exchange.WaitFor(never, http::Clock::now() + http::milliseconds(10));
      gone = result == http::WaitResult::kCancelled;
    }
    --inside;
    clients_gone += gone ? 1 : 0;
    co_await exchange.Respond(200, {}, "through");
  }
  http::Handler handler() {
    return [this](http::Exchange& exchange) { return Handle(exchange); };
  }
};

http::Task<void> Refuse(http::Exchange& exchange, http::ErrorCode code) {
  co_await exchange.RespondError(code, "no");
}

std::string ErrorOf(const httplib::Result& result) {
  return result ? result->get_header_value("krypton-error") : "no answer";
}

TEST(GatewayTest, ForwardsUnderThePrefixAndSaysWhoAsked) {
  Mesh mesh;
  mesh.Register({&mesh.AddReplica(EchoRequest)});
  const auto answer = mesh.Get("/a/../b?c=d", {{"X-Own", "1"}, {"krypton-wait", "1"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, StartsWith("GET /a/../b?c=d\n"));
  EXPECT_THAT(answer->body, HasSubstr("x-own: 1\n"));
  EXPECT_THAT(answer->body, HasSubstr("via: 1.1 krypton\n"));
  EXPECT_THAT(answer->body, HasSubstr("x-forwarded-prefix: /v1/agents/default/echo\n"));
  EXPECT_THAT(answer->body, HasSubstr("x-forwarded-for: 127.0.0.1\n"));
  EXPECT_THAT(answer->body, HasSubstr("host: " + mesh.address() + "\n"));
  EXPECT_THAT(answer->body, HasSubstr("krypton-wait: 250\n"));
  EXPECT_FALSE(answer->has_header("krypton-load"));
  EXPECT_FALSE(answer->has_header("server-timing"));
  EXPECT_TRUE(
      WaitFor([&] { return mesh.Metric("krypton_invocation_duration_seconds", "echo") == 1; }));
}

TEST(GatewayTest, WithoutARestTheInvocationPathAndTheAgentsHost) {
  Mesh mesh;
  mesh.spec().set_invocation_path("/run");
  mesh.spec().set_host_header(v1::HOST_HEADER_AGENT);
  mesh.spec().set_port(9000);
  mesh.Register({&mesh.AddReplica(EchoRequest)});
  const auto answer = mesh.Get("?x=1");
  EXPECT_THAT(answer->body, StartsWith("GET /run?x=1\n"));
  EXPECT_THAT(answer->body, HasSubstr("host: localhost:9000\n"));
}

TEST(GatewayTest, AnUnknownAgentIsNamedWhereItCanBeOne) {
  Mesh mesh;
  mesh.Register({});
  const auto body = [&](const char* path) { return mesh.NewClient().Get(path)->body; };
  EXPECT_THAT(body("/v1/agents/default/%6eobody"), HasSubstr("\"no agent default/nobody\""));
  EXPECT_THAT(body("/v1/agents/default/%ff%22%0a"), HasSubstr("\"no such agent: namespace and"));
}

TEST(GatewayTest, UnknownAgentsAndRoutesCountUnderFixedLabels) {
  Mesh mesh;
  mesh.Register({});
  for (int i = 0; i < 20; ++i) {
    const auto answer =
        mesh.NewClient().Get(("/v1/agents/default/invented" + std::to_string(i)).c_str());
    EXPECT_EQ(answer->status, 404);
    EXPECT_EQ(ErrorOf(answer), "agent_not_found");
  }
  EXPECT_EQ(ErrorOf(mesh.NewClient().Get("/nothing")), "agent_not_found");
  EXPECT_EQ(ErrorOf(mesh.NewClient().Get("/v1/agents/a%2Fb/c")), "bad_request");
  EXPECT_EQ(ErrorOf(mesh.NewClient().Get("/v1/models/none")), "model_not_found");
  EXPECT_EQ(mesh.NewClient().Get("/v1/models")->body, R"({"object":"list","data":[]})");
  EXPECT_TRUE(
      WaitFor([&] { return mesh.Metric("krypton_invocations_total", kUnknownLabel) == 2 * 24; }));
}

TEST(GatewayTest, ACallBeforeTheFirstSnapshotWaitsForIt) {
  Mesh mesh;
  auto answer = mesh.GetLater();
  EXPECT_TRUE(WaitFor([&] { return mesh.traffic().requests_in_flight() == 1; }));
  mesh.Register({&mesh.AddReplica(Say("hello"))});
  EXPECT_EQ(answer.get()->body, "hello");
}

TEST(GatewayTest, AColdCallWaitsForAReplicaAndSaysWhatItWaitedFor) {
  Mesh mesh;
  mesh.Register({});
  auto answer = mesh.GetLater();
  ASSERT_TRUE(WaitFor([&] { return mesh.totals().waiting == 1; }));
  mesh.Register({&mesh.AddReplica(Say("awake"))});
  const auto result = answer.get();
  EXPECT_EQ(result->body, "awake");
  EXPECT_THAT(result->get_header_value("server-timing"),
              StartsWith("decide;dur=2.0, start;dur=30.0, ready;dur=4.0, queue;dur="));
  EXPECT_EQ(mesh.Metric("krypton_cold_starts_total", "echo"), 1);
  for (const char* stage : kStages) {
    EXPECT_EQ(mesh.Metric("krypton_cold_start_stage_seconds", stage), 1) << stage;
  }
  EXPECT_EQ(mesh.Metric("krypton_buffer_wait_seconds", "echo"), 1);
}

TEST(GatewayTest, AColdStartThatNeverComesIsAStartTimeout) {
  Mesh mesh;
  mesh.spec().mutable_startup_timeout()->set_nanos(100'000'000);
  mesh.Register({});
  const auto answer = mesh.Get();
  EXPECT_EQ(answer->status, 504);
  EXPECT_EQ(ErrorOf(answer), "start_timeout");
  EXPECT_THAT(answer->body, HasSubstr("within spec.startupTimeout, which is 100ms"));
  EXPECT_EQ(mesh.totals().waiting, 0);
}

TEST(GatewayTest, MoreThanTheQueueHoldsIsRefusedAtOnceAndTheRestServed) {
  Mesh mesh({.dispatcher = {.max_queue = 2}});
  mesh.Register({});
  auto first = mesh.GetLater(), second = mesh.GetLater();
  ASSERT_TRUE(WaitFor([&] { return mesh.totals().waiting == 2; }));
  const auto third = mesh.Get();
  EXPECT_EQ(third->status, 503);
  EXPECT_EQ(ErrorOf(third), "queue_full");
  EXPECT_EQ(third->get_header_value("retry-after"), "1");
  mesh.Register({&mesh.AddReplica(Say("served"))});
  EXPECT_EQ(first.get()->body, "served");
  EXPECT_EQ(second.get()->body, "served");
}

TEST(GatewayTest, NeverMoreThanTheConcurrencyAndAllAreServed) {
  Mesh mesh;
  Gate gate;
  mesh.Register({&mesh.AddReplica(gate.handler())}, /*concurrency=*/2);
  std::vector<std::future<httplib::Result>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(mesh.GetLater());
  ASSERT_TRUE(WaitFor([&] { return mesh.totals().waiting == 6 && gate.inside == 2; }));
  gate.open = true;
  for (auto& answer : answers) EXPECT_EQ(answer.get()->body, "through");
  EXPECT_EQ(gate.most_inside, 2);
  EXPECT_TRUE(WaitFor([&] { return mesh.totals().in_flight == 0; }));
}

TEST(GatewayTest, AClientThatGoesAwayFreesItsPlaceAndItsSlot) {
  Mesh mesh;
  Gate gate;
  mesh.Register({&mesh.AddReplica(gate.handler())}, /*concurrency=*/1);
  const auto impatient = [&] {
    auto client = mesh.NewClient();
    client.set_read_timeout(std::chrono::milliseconds(200));
    return !client.Get("/v1/agents/default/echo/");
  };
  auto in_flight = std::async(std::launch::async, impatient);
  ASSERT_TRUE(WaitFor([&] { return gate.inside == 1; }));
  auto queued = std::async(std::launch::async, impatient);
  EXPECT_TRUE(WaitFor([&] { return mesh.totals().waiting == 1; }));
  EXPECT_TRUE(in_flight.get() && queued.get());
  EXPECT_TRUE(WaitFor([&] {
    return mesh.totals().waiting == 0 && mesh.totals().in_flight == 0 && gate.clients_gone >= 1;
  }));
  EXPECT_TRUE(WaitFor([&] { return mesh.Metric("krypton_invocations_total", "499") == 2; }));
}

TEST(GatewayTest, WhatASidecarRefusesIsSentAgainWithItsBody) {
  std::atomic<int> turns{0};
  Mesh mesh;
  Replica& replica = mesh.AddReplica([&](http::Exchange& exchange) {
    return turns++ < 3 ? Refuse(exchange, http::ErrorCode::kOverCapacity) : EchoRequest(exchange);
  });
  mesh.Register({&replica});
  const auto answer = mesh.NewClient().Post("/v1/agents/default/echo/p", "the body", "text/plain");
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("\nthe body"));
  EXPECT_EQ(replica.requests(), 4);
  EXPECT_EQ(mesh.Metric("krypton_gateway_retries_total", "over_capacity"), 3);
}

TEST(GatewayTest, ADrainingReplicaIsLeftForAnother) {
  Mesh mesh;
  Replica& leaving = mesh.AddReplica(
      [](http::Exchange& exchange) { return Refuse(exchange, http::ErrorCode::kShuttingDown); });
  Replica& staying = mesh.AddReplica(Say("staying"));
  mesh.Register({&leaving, &staying});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(mesh.Get()->body, "staying");
  EXPECT_LE(leaving.requests(), 1);
}

TEST(GatewayTest, ABrokenConnectionIsTriedOnceElsewhereUnlessThePostWasDelivered) {
  Mesh mesh;
  const http::Handler breaks = [](http::Exchange& exchange) -> http::Task<void> {
    exchange.Abort();
    co_return;
  };
  Replica& one = mesh.AddReplica(breaks);
  Replica& other = mesh.AddReplica(breaks);
  mesh.Register({&one, &other});
  const auto get = mesh.Get();
  EXPECT_EQ(get->status, 502);
  EXPECT_EQ(ErrorOf(get), "agent_unreachable");
  EXPECT_EQ(one.requests(), 1);
  EXPECT_EQ(other.requests(), 1);
  const auto post = mesh.NewClient().Post("/v1/agents/default/echo/", "x", "text/plain");
  EXPECT_EQ(ErrorOf(post), "agent_unreachable");
  EXPECT_EQ(one.requests() + other.requests(), 3);
}

TEST(GatewayTest, WhereNothingListensTheCallWaitsForAReplicaThatDoes) {
  Mesh mesh;
  Replica& dead = mesh.AddReplica(Say("dead"));
  mesh.Register({&dead});
  dead.Stop();
  auto answer = mesh.GetLater();
  EXPECT_TRUE(
      WaitFor([&] { return mesh.Metric("krypton_gateway_retries_total", "unreachable") >= 2; }));
  mesh.Register({&mesh.AddReplica(Say("alive"))});
  EXPECT_EQ(answer.get()->body, "alive");
}

TEST(GatewayTest, NoAnswerWithinTheTimeoutIsAnAgentTimeout) {
  Mesh mesh;
  Gate gate;
  mesh.spec().mutable_timeout()->set_nanos(100'000'000);
  mesh.Register({&mesh.AddReplica(gate.handler())});
  const auto answer = mesh.Get();
  EXPECT_EQ(answer->status, 504);
  EXPECT_EQ(ErrorOf(answer), "agent_timeout");
  EXPECT_TRUE(WaitFor([&] { return gate.clients_gone == 1; }));
}

TEST(GatewayTest, ARequestInALoopEnds) {
  Mesh mesh({}, {.max_hops = 3});
  mesh.Register({&mesh.AddReplica(Say("once more"))});
  EXPECT_EQ(mesh.Get("/", {{"Via", "1.1 krypton, 1.1 krypton"}})->status, 200);
  const auto looped = mesh.Get("/", {{"Via", "1.1 krypton, 1.1 other, 1.1 krypton, 1.1 krypton"}});
  EXPECT_EQ(looped->status, 508);
  EXPECT_EQ(ErrorOf(looped), "loop_detected");
}

TEST(GatewayTest, ARequestsIdGoesBothWays) {
  Mesh mesh;
  mesh.Register({&mesh.AddReplica(EchoRequest)});
  const auto given = mesh.Get("/", {{"X-Request-Id", "mine"}});
  EXPECT_THAT(given->body, HasSubstr("\nx-request-id: mine\n"));
  EXPECT_EQ(given->get_header_value("x-request-id"), "mine");
  const auto made = mesh.Get("/", {{"X-Request-Id", "not plain"}});
  const std::string id = made->get_header_value("x-request-id");
  EXPECT_EQ(id.size(), 32u);
  EXPECT_THAT(made->body, HasSubstr("\nx-request-id: " + id + "\n"));
  EXPECT_TRUE(mesh.NewClient().Get("/none")->has_header("x-request-id"));
}

TEST(GatewayTest, ViaIsOneFieldWhateverItCameAs) {
  Mesh mesh;
  mesh.Register({&mesh.AddReplica(EchoRequest)});
  const auto answer = mesh.Get("/", {{"Via", "1.1 krypton"}, {"Via", "1.0 fred"}});
  // Newer versions of cpp-httplib send fields of one name in no order of ours.
  EXPECT_THAT(answer->body,
              ::testing::AnyOf(HasSubstr("\nvia: 1.1 krypton, 1.0 fred, 1.1 krypton\n"),
                               HasSubstr("\nvia: 1.0 fred, 1.1 krypton, 1.1 krypton\n")));
}

TEST(GatewayTest, ASessionStaysWithItsReplica) {
  Mesh mesh;
  const auto with_session = [](std::string name) -> http::Handler {
    return [name](http::Exchange& exchange) {
      if (!exchange.request().fields.Has("mcp-session-id")) {
        exchange.AddResponseHeader("Mcp-Session-Id", "session-of-" + name);
      }
      return exchange.Respond(200, {}, name);
    };
  };
  mesh.Register({&mesh.AddReplica(with_session("a")), &mesh.AddReplica(with_session("b")),
                 &mesh.AddReplica(with_session("c"))});
  std::set<std::string> seen;
  for (int i = 0; i < 60 && seen.size() < 3; ++i) {
    const auto first = mesh.Get();
    seen.insert(first->body);
    const std::string session = first->get_header_value("mcp-session-id");
    for (int j = 0; j < 5; ++j) {
      EXPECT_EQ(mesh.Get("/", {{"Mcp-Session-Id", session}})->body, first->body);
    }
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(GatewayTest, AnAgentThatIsDeletedAnswersThoseWhoWait) {
  Mesh mesh;
  mesh.Register({});
  auto answer = mesh.GetLater();
  ASSERT_TRUE(WaitFor([&] { return mesh.totals().waiting == 1; }));
  mesh.Unregister();
  EXPECT_EQ(ErrorOf(answer.get()), "agent_not_found");
  EXPECT_EQ(mesh.Metric("krypton_invocations_total", "echo"), 0);
}

TEST(GatewayTest, AStandingStreamGivesItsSlotBack) {
  Mesh mesh;
  Gate gate;
  Replica& replica = mesh.AddReplica([&](http::Exchange& exchange) -> http::Task<void> {
    if (exchange.request().target != "/events") {
      co_await exchange.Respond(200, {}, "call");
      co_return;
    }
    const http::Field fields[] = {{"content-type", "text/event-stream"}};
    co_await exchange.Start(200, fields);
    co_await exchange.Write("data: 1\n\n");
    co_await gate.Handle(exchange);
  });
  mesh.Register({&replica}, /*concurrency=*/1);
  auto stream = std::async(std::launch::async, [&] {
    return static_cast<bool>(mesh.NewClient().Get(
        "/v1/agents/default/echo/events", [&](const char*, size_t) { return !gate.open.load(); }));
  });
  ASSERT_TRUE(WaitFor([&] { return mesh.totals().streams == 1; }));
  EXPECT_EQ(mesh.totals().in_flight, 0);
  EXPECT_EQ(mesh.Get("/call")->body, "call");
  gate.open = true;
  stream.get();
  EXPECT_TRUE(WaitFor([&] { return mesh.totals().streams == 0; }));
}

TEST(GatewayTest, ACardIsAnsweredWhileItsAgentSleepsAndDoesNotWakeIt) {
  Mesh mesh;
  mesh.spec().set_protocol(v1::AGENT_PROTOCOL_A2A);
  Replica& replica = mesh.AddReplica([](http::Exchange& exchange) -> http::Task<void> {
    const http::Field fields[] = {
        {"content-type", "application/json"}, {"etag", "\"v1\""}, {"cache-control", "max-age=60"}};
    co_await exchange.Respond(200, fields, R"({"name":"echo","url":"http://127.0.0.1:9000/a2a"})");
  });
  mesh.Register({&replica});
  const std::string card = "/.well-known/agent-card.json";
  const std::string expected =
      R"({"name":"echo","url":"http://)" + mesh.address() + R"(/v1/agents/default/echo/a2a"})";
  const auto awake = mesh.Get(card);
  EXPECT_EQ(awake->body, expected);
  EXPECT_FALSE(awake->has_header("age"));
  mesh.Register({});
  const auto asleep = mesh.Get(card);
  EXPECT_EQ(asleep->body, expected);
  EXPECT_TRUE(asleep->has_header("age"));
  EXPECT_EQ(asleep->get_header_value("cache-control"), "max-age=60");
  EXPECT_EQ(mesh.Get(card, {{"If-None-Match", asleep->get_header_value("etag")}})->status, 304);
  EXPECT_EQ(mesh.totals().waiting, 0);
  EXPECT_EQ(replica.requests(), 1);
}

}  // namespace
}  // namespace krypton::gateway
