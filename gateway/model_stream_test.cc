// Answers of models on their way through the gateway: streams, usage, breaks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>

#include "common/http/testing.h"
#include "common/testing/wait_for.h"
#include "gateway/gateway.h"
#include "gateway/testing/mesh.h"

namespace krypton::gateway {
namespace {

using http::testing::RawResponse;
using http::testing::RawSocket;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::Mesh;
using ::testing::Not;

constexpr char kChat[] = "/v1/chat/completions";
constexpr char kAskStream[] = R"({"model":"llama","stream":true})";
constexpr char kChunk[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
constexpr char kUsageChunk[] =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n";
constexpr char kDone[] = "data: [DONE]\n\n";

// A model's server that streams what it is told to, and keeps what it was asked.
struct Model {
  std::vector<std::string> pieces = {kChunk, kChunk, kUsageChunk, kDone};
  std::string content_type = "text/event-stream";
  bool breaks = false;
  bool hangs = false;
  std::atomic<int> written{0};
  std::atomic<int> gone{0};

  http::Handler handler() {
    return [this](http::Exchange& exchange) { return Handle(exchange); };
  }
  http::Task<void> Handle(http::Exchange& exchange) {
    Note(exchange.request());
    while (true) {
      const auto piece = co_await exchange.ReadBody();
      if (!piece.ok() || piece->empty()) break;
      std::lock_guard lock(mutex);
      body.append(*piece);
    }
    const http::Field fields[] = {{"content-type", content_type}};
    co_await exchange.Start(200, fields);
    for (const std::string& piece : pieces) {
      co_await exchange.Write(piece);
      ++written;
    }
    http::Event never(exchange.worker());
    if (hangs) co_await exchange.WaitFor(never);
    gone += exchange.cancelled() == http::Cancelled::kClientGone ? 1 : 0;
    if (breaks) {
      exchange.Abort();
    } else {
      co_await exchange.Finish();
    }
  }
  void Note(const http::RequestHead& request) {
    std::lock_guard lock(mutex);
    body.clear();
    content_length = request.fields.Get("content-length");
    accept_encoding = request.fields.Get("accept-encoding");
  }
  std::string asked() {
    std::lock_guard lock(mutex);
    return body;
  }

  std::mutex mutex;
  std::string body;
  std::string content_length;
  std::string accept_encoding;
};

std::string Joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all.append(piece);
  return all;
}

std::string PostHead(size_t length) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

RawResponse Ask(RawSocket& client, const std::string& body) {
  client.Send(PostHead(body.size()) + body);
  return http::testing::ReadResponse(client);
}

// Tokens of both types.
double Tokens(const Mesh& mesh, const std::string& type) {
  return mesh.Metric("krypton_model_tokens_total", type);
}

TEST(ModelStreamTest, AStreamPassesByteForByteAndIsMeasured) {
  Model model;
  Mesh mesh;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  const auto answer = mesh.Post(kChat, kAskStream, {{"accept-encoding", "gzip"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, Joined(model.pieces));
  EXPECT_EQ(model.asked(), kAskStream);
  EXPECT_EQ(model.accept_encoding, "identity");
  EXPECT_TRUE(WaitFor([&] { return Tokens(mesh, "completion") == 5; }));
  EXPECT_EQ(Tokens(mesh, "prompt"), 3);
  EXPECT_EQ(mesh.Metric("krypton_model_time_to_first_token_seconds", "llama"), 1);
  EXPECT_EQ(mesh.Metric("krypton_model_time_per_output_token_seconds", "llama"), 1);
}

TEST(ModelStreamTest, UsageOfAPlainAnswerIsRead) {
  Model model;
  Mesh mesh;
  model.content_type = "application/json; charset=utf-8";
  model.pieces = {R"({"choices":[{}],"usa)", R"(ge":{"prompt_tokens":7,"total_)", R"(tokens":7}})"};
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  EXPECT_EQ(mesh.Post("/v1/embeddings", R"({"model":"llama"})")->body, Joined(model.pieces));
  EXPECT_TRUE(WaitFor([&] { return Tokens(mesh, "prompt") == 7; }));
  EXPECT_EQ(Tokens(mesh, "completion"), 0);
  EXPECT_EQ(mesh.Metric("krypton_model_time_to_first_token_seconds", "llama"), 0);
}

TEST(ModelStreamTest, AStreamThatBreaksEndsWithAnErrorBetweenEvents) {
  Model model;
  Mesh mesh;
  model.pieces = {kChunk, "data: {\"choices\":[{\"del"};
  model.breaks = true;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  RawSocket client = RawSocket::Connect(mesh.address());
  const RawResponse answer = Ask(client, kAskStream);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            std::string(kChunk) +
                "data: {\"error\":{\"code\":\"agent_unreachable\",\"message\":\"the replica broke "
                "the stream\",\"type\":\"server_error\",\"param\":null}}\n\n");
  EXPECT_TRUE(client.WaitForEof());
  EXPECT_EQ(mesh.Metric("krypton_gateway_errors_total", "agent_unreachable"), 1);
  EXPECT_TRUE(WaitFor([&] { return mesh.model_totals().in_flight == 0; }));
}

TEST(ModelStreamTest, NothingFollowsDoneThoughTheReplicaBreaksThen) {
  Model model;
  Mesh mesh;
  model.breaks = true;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  RawSocket client = RawSocket::Connect(mesh.address());
  client.Send(PostHead(strlen(kAskStream)) + kAskStream);
  // In good order: SDKs that read on behind [DONE] find the end.
  EXPECT_THAT(client.ReceiveAll(), EndsWith(std::string(kDone) + "\r\n0\r\n\r\n"));
  EXPECT_EQ(mesh.Metric("krypton_gateway_errors_total", "agent_unreachable"), 0);
}

TEST(ModelStreamTest, AStreamBeyondItsTimeEndsWithAnError) {
  Model model;
  Mesh mesh;
  model.pieces = {kChunk};
  model.hangs = true;
  mesh.model_spec().mutable_timeout()->set_nanos(200'000'000);
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  RawSocket client = RawSocket::Connect(mesh.address());
  const RawResponse answer = Ask(client, kAskStream);
  EXPECT_THAT(answer.body, HasSubstr("data: {\"error\":{\"code\":\"agent_timeout\""));
  EXPECT_THAT(answer.body, Not(HasSubstr("[DONE]")));
}

TEST(ModelStreamTest, APlainAnswerThatBreaksIsCutOff) {
  Model model;
  Mesh mesh;
  model.content_type = "application/json";
  model.pieces = {R"({"choices":)"};
  model.breaks = true;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  EXPECT_FALSE(mesh.Post(kChat, R"({"model":"llama"})"));
}

TEST(ModelStreamTest, AClientThatGoesAwayFreesItsSlot) {
  Model model;
  Mesh mesh;
  model.pieces = {kChunk};
  model.hangs = true;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())}, 1);
  RawSocket client = RawSocket::Connect(mesh.address());
  client.Send(PostHead(sizeof(kAskStream) - 1) + kAskStream);
  EXPECT_THAT(client.ReceiveUntil(kChunk), HasSubstr(kChunk));
  EXPECT_EQ(mesh.model_totals().in_flight, 1);
  client.Close();
  const auto closed = std::chrono::steady_clock::now();
  EXPECT_TRUE(WaitFor([&] { return mesh.model_totals().in_flight == 0 && model.gone == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - closed, std::chrono::milliseconds(100));
}

TEST(ModelStreamTest, UsageIsAskedForAndWhatItAddsIsHidden) {
  Model model;
  Mesh mesh;
  mesh.model_spec().set_usage(v1::MODEL_USAGE_ALWAYS);
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  const auto answer = mesh.Post(kChat, kAskStream);
  EXPECT_EQ(answer->body, std::string(kChunk) + kChunk + kDone);
  const std::string asked = model.asked();
  EXPECT_EQ(asked, R"({"model":"llama","stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(model.content_length, std::to_string(asked.size()));
  EXPECT_TRUE(WaitFor([&] { return Tokens(mesh, "completion") == 5; }));
}

TEST(ModelStreamTest, UsageThatTheClientAskedForStays) {
  Model model;
  Mesh mesh;
  mesh.model_spec().set_usage(v1::MODEL_USAGE_ALWAYS);
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  const std::string body =
      R"({"model":"llama","stream":true,"stream_options":{"include_usage":true}})";
  EXPECT_EQ(mesh.Post(kChat, body)->body, Joined(model.pieces));
  EXPECT_EQ(model.asked(), body);
  EXPECT_EQ(mesh.Post("/v1/responses", kAskStream)->body, Joined(model.pieces));
  EXPECT_EQ(model.asked(), kAskStream);
}

TEST(ModelStreamTest, UsageIsAskedForInALongBodyAsItPasses) {
  Model model;
  Mesh mesh;
  mesh.model_spec().set_usage(v1::MODEL_USAGE_ALWAYS);
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  const std::string begin =
      R"({"model":"llama","stream":true,"x":")" + std::string(300'000, 'x') + "\"";
  const std::string with = begin + R"(,"stream_options":{"include_usage":true}})";
  RawSocket client = RawSocket::Connect(mesh.address());
  const RawResponse answer = Ask(client, begin + "}");
  EXPECT_EQ(answer.body, std::string(kChunk) + kChunk + kDone);
  EXPECT_TRUE(model.asked() == with);
  EXPECT_EQ(model.content_length, std::to_string(with.size()));

  client.Send("POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string body = begin + "}";
  for (size_t at = 0; at < body.size(); at += 100'000) {
    const std::string piece = body.substr(at, 100'000);
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    client.Send(size + piece + "\r\n");
  }
  client.Send("0\r\n\r\n");
  EXPECT_EQ(http::testing::ReadResponse(client).body, std::string(kChunk) + kChunk + kDone);
  EXPECT_TRUE(model.asked() == with);
}

TEST(ModelStreamTest, ARefusedRequestIsSplicedAgain) {
  Model model;
  Mesh mesh;
  mesh.model_spec().set_usage(v1::MODEL_USAGE_ALWAYS);
  std::atomic<int> refusals{0};
  mesh.RegisterModel({&mesh.AddReplica([&](http::Exchange& exchange) -> http::Task<void> {
    if (++refusals <= 2) return exchange.RespondError(http::ErrorCode::kOverCapacity, "no");
    return model.Handle(exchange);
  })});
  EXPECT_EQ(mesh.Post(kChat, kAskStream)->body, std::string(kChunk) + kChunk + kDone);
  EXPECT_EQ(model.asked(),
            R"({"model":"llama","stream":true,"stream_options":{"include_usage":true}})");
}

TEST(ModelStreamTest, AShutdownEndsAStreamWithAnError) {
  Model model;
  Mesh mesh;
  model.pieces = {kChunk};
  model.hangs = true;
  mesh.RegisterModel({&mesh.AddReplica(model.handler())});
  RawSocket client = RawSocket::Connect(mesh.address());
  client.Send(PostHead(sizeof(kAskStream) - 1) + kAskStream);
  EXPECT_THAT(client.ReceiveUntil(kChunk), HasSubstr(kChunk));
  const http::TimePoint now = http::Clock::now();
  mesh.traffic().Drain(now, now);
  EXPECT_THAT(client.ReceiveAll(), HasSubstr("data: {\"error\":{\"code\":\"shutting_down\""));
}

}  // namespace
}  // namespace krypton::gateway
