// Calls of models through the gateway's traffic server, to replicas that the test plays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "common/http/testing.h"
#include "common/testing/wait_for.h"
#include "gateway/gateway.h"
#include "gateway/testing/mesh.h"

namespace krypton::gateway {
namespace {

using http::testing::RawSocket;
using ::testing::HasSubstr;
using testing::Mesh;
using testing::Replica;

constexpr char kChat[] = "/v1/chat/completions";
constexpr char kAsk[] = R"({ "messages": [], "model" : "llama" })";

// Keeps each body that it got, and answers the target.
struct Recorder {
  http::Handler handler() {
    return [this](http::Exchange& exchange) { return Handle(exchange); };
  }
  http::Task<void> Handle(http::Exchange& exchange) {
    std::string body;
    while (true) {
      const auto piece = co_await exchange.ReadBody();
      if (!piece.ok() || piece->empty()) break;
      body.append(*piece);
    }
    {
      std::lock_guard lock(mutex);
      bodies.push_back(std::move(body));
    }
    const std::string target(exchange.request().target);
    co_await exchange.Respond(200, {}, target);
  }
  std::string last() {
    std::lock_guard lock(mutex);
    return bodies.empty() ? "none" : bodies.back();
  }

  std::mutex mutex;
  std::vector<std::string> bodies;
};

std::string ErrorOf(const httplib::Result& result) {
  return result ? result->get_header_value("krypton-error") : "no answer";
}

TEST(ModelGatewayTest, ARequestGoesToTheModelItsBodyNamesAsItCame) {
  Recorder recorder;
  Mesh mesh;
  mesh.RegisterModel({&mesh.AddReplica(recorder.handler())});
  for (const std::string path :
       {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses?a=b"}) {
    const auto answer = mesh.Post(path, kAsk);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, path);
    EXPECT_EQ(recorder.last(), kAsk);
    EXPECT_TRUE(answer->has_header("x-request-id"));
  }
  EXPECT_EQ(mesh.Post(kChat, R"({"model":"default/llama"})")->status, 200);
  EXPECT_TRUE(WaitFor([&] {
    return mesh.Metric("krypton_model_invocations_total", "llama") == 5 &&
           mesh.Metric("krypton_model_invocation_duration_seconds", "llama") == 5;
  }));
  EXPECT_EQ(mesh.Metric("krypton_invocations_total", "llama"), 0);
}

TEST(ModelGatewayTest, ErrorsAreOpenAis) {
  Mesh mesh;
  mesh.RegisterModel({});
  struct Row {
    std::string body;
    int status;
    std::string code;
  };
  const std::vector<Row> rows = {
      {R"({"model":"nobody"})", 404, "model_not_found"},
      {R"({"model":"default/nobody"})", 404, "model_not_found"},
      {R"({"messages":[]})", 400, "bad_request"},
      {R"({"model":7})", 400, "bad_request"},
      {R"({"model":"llama",})", 400, "bad_request"},
      {"", 400, "bad_request"},
  };
  for (const Row& row : rows) {
    const auto answer = mesh.Post(kChat, row.body);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, row.status) << row.body;
    EXPECT_EQ(ErrorOf(answer), row.code) << row.body;
    EXPECT_EQ(answer->get_header_value("content-type"), "application/json");
    EXPECT_THAT(answer->body, HasSubstr(R"("type":"invalid_request_error","param":null})"));
    EXPECT_FALSE(answer->has_header("x-should-retry"));
  }
  EXPECT_TRUE(WaitFor([&] {
    return mesh.Metric("krypton_model_invocations_total", kUnknownLabel) == rows.size();
  }));
}

TEST(ModelGatewayTest, ABodyThatDripsGivesItsSlotBack) {
  Recorder recorder;
  Mesh mesh({}, {.model_body_bytes_per_second = 1'000'000,
                 .model_body_patience = std::chrono::milliseconds(200)});
  mesh.RegisterModel({&mesh.AddReplica(recorder.handler())});
  RawSocket client = RawSocket::Connect(mesh.address());
  // More than is read before a slot is taken.
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n" +
              std::string(R"({"model":"llama","x":")") + std::string(100'000, 'x'));
  ASSERT_TRUE(WaitFor([&] { return mesh.model_totals().in_flight == 1; }));
  std::string answer;
  for (int i = 0; i < 2'000 && answer.empty() && !client.saw_eof(); ++i) {
    client.Send("x");
    answer = client.Receive(std::chrono::milliseconds(5));
  }
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 408 "));
  EXPECT_THAT(answer, HasSubstr("krypton-error: request_timeout"));
  EXPECT_TRUE(WaitFor([&] { return mesh.model_totals().in_flight == 0; }));
}

TEST(ModelGatewayTest, WhatCannotBeReadIsRefusedByItsFields) {
  Mesh mesh;
  mesh.RegisterModel({});
  EXPECT_EQ(mesh.Post(kChat, kAsk, {{"content-encoding", "gzip"}})->status, 415);
  const auto form = mesh.NewClient().Post(kChat, "--x--", "multipart/form-data; boundary=x");
  EXPECT_EQ(form->status, 415);
  const auto get = mesh.NewClient().Get(kChat);
  EXPECT_EQ(get->status, 405);
  EXPECT_EQ(get->get_header_value("allow"), "POST, OPTIONS");
  const auto options = mesh.NewClient().Options(kChat);
  EXPECT_EQ(options->status, 204);
  EXPECT_EQ(options->get_header_value("allow"), "POST, OPTIONS");
  EXPECT_FALSE(options->has_header("access-control-allow-origin"));
  EXPECT_EQ(mesh.NewClient().Delete("/v1/models/llama")->status, 405);
  EXPECT_EQ(mesh.Post("/v1/audio/speech", kAsk)->status, 404);
}

TEST(ModelGatewayTest, ModelsAreListedAndFoundWithEitherSlash) {
  Mesh mesh;
  mesh.RegisterModel({});
  EXPECT_THAT(mesh.NewClient().Get("/v1/models")->body, HasSubstr(R"("id":"llama")"));
  for (const char* id : {"llama", "default/llama", "default%2Fllama", "default%2fll%61ma"}) {
    const auto answer = mesh.NewClient().Get(("/v1/models/" + std::string(id)).c_str());
    EXPECT_EQ(answer->status, 200) << id;
    EXPECT_EQ(answer->body, R"({"id":"llama","object":"model","created":0,"owned_by":"krypton",)"
                            R"("namespace":"default","source":{}})");
  }
  EXPECT_EQ(ErrorOf(mesh.NewClient().Get("/v1/models/default/x")), "model_not_found");
}

TEST(ModelGatewayTest, TheModelIsFoundBehindALongBodyAndTheBodyArrivesWhole) {
  Recorder recorder;
  Mesh mesh;
  mesh.RegisterModel({&mesh.AddReplica(recorder.handler())});
  const std::string body = R"({"image":")" + std::string(900'000, 'x') +
                           R"(","model":"llama","more":")" + std::string(900'000, 'y') + R"("})";
  EXPECT_EQ(mesh.Post(kChat, body)->status, 200);
  EXPECT_TRUE(recorder.last() == body);
}

TEST(ModelGatewayTest, AModelBeyondTheScanIsTooLarge) {
  Gateway::Settings settings;
  settings.model_scan_bytes = 100;
  Recorder recorder;
  Mesh mesh({}, settings);
  mesh.RegisterModel({&mesh.AddReplica(recorder.handler())});
  // {"a":"...","model":"llama"} with the last byte of the value at `end`.
  const auto body = [](size_t end) {
    const std::string before = R"({"a":")";
    const std::string after = R"(","model":"llama")";
    return before + std::string(end - before.size() - after.size(), 'x') + after + "}";
  };
  EXPECT_EQ(mesh.Post(kChat, body(100))->status, 200);
  const auto answer = mesh.Post(kChat, body(101));
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(ErrorOf(answer), "body_too_large");
}

TEST(ModelGatewayTest, WhatLateModelsHoldTogetherHasABound) {
  Gateway::Settings settings;
  settings.model_scan_memory_bytes = 500'000;
  Recorder recorder;
  Mesh mesh({}, settings);
  mesh.RegisterModel({&mesh.AddReplica(recorder.handler())});
  const auto body = [](size_t before) {
    return R"({"a":")" + std::string(before, 'x') + R"(","model":"llama"})";
  };
  EXPECT_EQ(mesh.Post(kChat, body(400'000))->status, 200);
  EXPECT_EQ(mesh.Post(kChat, body(400'000))->status, 200);
  const auto answer = mesh.Post(kChat, body(800'000));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->get_header_value("x-should-retry"), "true");
  EXPECT_EQ(mesh.Post(kChat, body(400'000))->status, 200);
}

TEST(ModelGatewayTest, TheRestOfALongBodyStreamsOnceTheModelIsKnown) {
  Mesh mesh;
  std::atomic<size_t> arrived{0};
  mesh.RegisterModel({&mesh.AddReplica([&](http::Exchange& exchange) -> http::Task<void> {
    while (true) {
      const auto piece = co_await exchange.ReadBody();
      if (!piece.ok() || piece->empty()) break;
      arrived += piece->size();
    }
    co_await exchange.Respond(200, {}, "");
  })});
  RawSocket client = RawSocket::Connect(mesh.address());
  const std::string begin = R"({"model":"llama","x":")";
  const std::string rest = std::string(100'000, 'x') + "\"}";
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: " +
              std::to_string(begin.size() + rest.size()) + "\r\n\r\n" + begin);
  EXPECT_TRUE(WaitFor([&] { return arrived == begin.size(); }));
  client.Send(rest);
  EXPECT_EQ(http::testing::ReadResponse(client).status, 200);
  EXPECT_EQ(arrived, begin.size() + rest.size());
}

TEST(ModelGatewayTest, ASmallBodyThatComesSlowlyTakesNoSlot) {
  Recorder recorder;
  Mesh mesh;
  Replica& replica = mesh.AddReplica(recorder.handler());
  mesh.RegisterModel({&replica}, 1);
  RawSocket slow = RawSocket::Connect(mesh.address());
  slow.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n" +
            std::string(R"({"model":"llama" )"));
  EXPECT_TRUE(WaitFor([&] { return mesh.traffic().requests_in_flight() == 1; }));
  EXPECT_EQ(mesh.Post(kChat, kAsk)->status, 200);
  EXPECT_EQ(replica.requests(), 1);
  slow.Send("   }");
  EXPECT_EQ(http::testing::ReadResponse(slow).status, 200);
  EXPECT_EQ(recorder.last(), R"({"model":"llama"    })");
}

TEST(ModelGatewayTest, AClientThatGoesInsideItsBodyCountsAsGone) {
  Mesh mesh;
  mesh.RegisterModel({});
  RawSocket client = RawSocket::Connect(mesh.address());
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n{");
  EXPECT_TRUE(WaitFor([&] { return mesh.traffic().requests_in_flight() == 1; }));
  client.Close();
  EXPECT_TRUE(WaitFor([&] { return mesh.Metric("krypton_model_invocations_total", "499") == 1; }));
  EXPECT_EQ(mesh.Metric("krypton_model_invocations_total", "400"), 0);
}

TEST(ModelGatewayTest, ACallWaitsForTheModelAndItsDeletionEndsTheWait) {
  Mesh mesh;
  mesh.RegisterModel({});
  auto answer = std::async(std::launch::async, [&] { return mesh.Post(kChat, kAsk); });
  ASSERT_TRUE(WaitFor([&] { return mesh.model_totals().waiting == 1; }));
  mesh.UnregisterModel();
  EXPECT_EQ(ErrorOf(answer.get()), "model_not_found");
}

TEST(ModelGatewayTest, AFullQueueMayBeAskedAgain) {
  RouteTable::Settings settings;
  settings.dispatcher.max_queue = 0;
  Mesh mesh(settings);
  mesh.RegisterModel({});
  const auto answer = mesh.Post(kChat, kAsk);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->get_header_value("x-should-retry"), "true");
  EXPECT_EQ(answer->get_header_value("retry-after"), "1");
  EXPECT_EQ(answer->get_header_value("retry-after-ms"), "1000");
  EXPECT_THAT(answer->body, HasSubstr(R"("type":"server_error","param":null)"));
}

TEST(ModelGatewayTest, WhatWasDeliveredIsNotAskedAgain) {
  Mesh mesh;
  mesh.RegisterModel({&mesh.AddReplica([](http::Exchange& exchange) -> http::Task<void> {
    exchange.Abort();
    co_return;
  })});
  const auto broken = mesh.Post(kChat, kAsk);
  EXPECT_EQ(ErrorOf(broken), "agent_unreachable");
  EXPECT_EQ(broken->get_header_value("x-should-retry"), "false");

  mesh.RegisterModel({&mesh.AddReplica([](http::Exchange& exchange) {
    return exchange.RespondError(http::ErrorCode::kAgentTimeout, "the sidecar's");
  })});
  const auto sidecars = mesh.Post(kChat, kAsk);
  EXPECT_EQ(ErrorOf(sidecars), "agent_timeout");
  EXPECT_EQ(sidecars->get_header_value("x-should-retry"), "false");

  mesh.model_spec().mutable_timeout()->set_nanos(50'000'000);
  mesh.RegisterModel({&mesh.AddReplica([](http::Exchange& exchange) -> http::Task<void> {
    http::Event never(exchange.worker());
    co_await exchange.WaitFor(never);
  })});
  const auto late = mesh.Post(kChat, kAsk);
  EXPECT_EQ(ErrorOf(late), "agent_timeout");
  EXPECT_EQ(late->get_header_value("x-should-retry"), "false");
}

}  // namespace
}  // namespace krypton::gateway
