// The transcoder's behaviour over time, which a table of answers cannot show: streams that flow and
// stop, limits, what metrics are told.

#include "common/transcode/transcoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "integration/oracle/server.h"

namespace krypton::oracle {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using transcode::BodyStream;

struct Seen {
  std::string route;
  std::string method;
  int status;
};

class TranscoderTest : public testing::Test {
 protected:
  TranscoderTest() : server_("127.0.0.1:0") { Make({}); }

  void Make(transcode::Settings settings) {
    settings.on_finished = [this](const transcode::Outcome& outcome) {
      const std::lock_guard lock(mutex_);
      seen_.push_back({std::string(outcome.route), std::string(outcome.method), outcome.status});
    };
    transcoder_ = std::make_unique<transcode::Transcoder>(
        server_.Connect(), std::vector<std::string>{"krypton.oracle.v1.OracleService"}, settings);
  }

  transcode::Response Get(std::string target, std::vector<transcode::Header> headers = {}) {
    return transcoder_->Handle({"GET", std::move(target), std::move(headers), "", ""});
  }

  // The whole body, stream or not.
  static std::string Body(transcode::Response& response) {
    std::string body = response.body;
    while (response.stream != nullptr) {
      BodyStream::Piece piece = response.stream->Next(seconds(10));
      body += piece.data;
      if (piece.state == BodyStream::State::kEnd) break;
    }
    return body;
  }

  Seen Last() {
    const std::lock_guard lock(mutex_);
    return seen_.empty() ? Seen{} : seen_.back();
  }

  Server server_;
  std::unique_ptr<transcode::Transcoder> transcoder_;
  std::mutex mutex_;
  std::vector<Seen> seen_;
};

TEST_F(TranscoderTest, AStreamThatNobodyReadsIsCancelled) {
  transcode::Response response = Get("/v1/count/-1");
  ASSERT_NE(response.stream, nullptr);
  EXPECT_EQ(response.stream->Next(seconds(10)).state, BodyStream::State::kData);
  response.stream.reset();
  EXPECT_TRUE(server_.WaitForCancelled(1));
  EXPECT_EQ(Last().status, 499);
}

TEST_F(TranscoderTest, AStreamThatSaysNothingStillHasAHead) {
  Make({.first_message_wait = milliseconds(20)});
  transcode::Response response = Get("/v1/count/-2");
  EXPECT_EQ(response.status, 200);
  ASSERT_NE(response.stream, nullptr);
  EXPECT_EQ(response.stream->Next(milliseconds(1)).state, BodyStream::State::kWaiting);
  EXPECT_EQ(response.stream->Next(milliseconds(1)).state, BodyStream::State::kWaiting);
  response.stream.reset();  // Returns, although nothing was ever said.
  EXPECT_EQ(Last().status, 499);
}

TEST_F(TranscoderTest, EachMessageIsAPieceOfItsOwn) {
  transcode::Response response = Get("/v1/count/2");
  EXPECT_THAT(response.stream->Next(seconds(10)).data, HasSubstr(R"("number":"1")"));
  EXPECT_THAT(response.stream->Next(seconds(10)).data, HasSubstr(R"("number":"2")"));
  EXPECT_EQ(response.stream->Next(seconds(10)).state, BodyStream::State::kEnd);
}

TEST_F(TranscoderTest, AUnaryCallHasADeadline) {
  Make({.unary_timeout = milliseconds(20)});
  EXPECT_EQ(Get("/v1/wait?time=3600s").status, 504);
}

TEST_F(TranscoderTest, TheCallersTimeoutCountsInItsPlace) {
  Make({.unary_timeout = milliseconds(1)});
  EXPECT_EQ(Get("/v1/wait?time=50ms", {{"Grpc-Timeout", "10S"}}).status, 200);
}

TEST_F(TranscoderTest, RoutesAnswerUnderTheAliasToo) {
  EXPECT_EQ(Get("/api/v1/things/x").status, 200);
  EXPECT_EQ(Get("/api/v1/nothing").status, 404);
  EXPECT_EQ(Get("/apiv1/things/x").status, 404);
  EXPECT_EQ(transcoder_->Handle({"POST", "/api/v1/things/x", {}, "", ""}).status, 501);
  Make({.alias_prefix = ""});
  EXPECT_EQ(Get("/api/v1/things/x").status, 404);
}

TEST_F(TranscoderTest, WhatIsTooLongIsRefused) {
  Make({.max_body_bytes = 10, .max_target_bytes = 100});
  EXPECT_EQ(transcoder_->Handle({"POST", "/v1/body", {}, std::string(11, ' '), ""}).status, 413);
  EXPECT_EQ(Get("/v1/query?s=" + std::string(100, 'x')).status, 414);
}

TEST_F(TranscoderTest, MalformedBodiesAreTheCallersMistake) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{'s':'a'}"),
        std::string(R"({"s":)"), std::string(R"({"s":1})"), std::string(R"({"rSub":[null]})"),
        std::string(R"({"by":"***"})"), std::string(R"({"s":"a","s":"b"})"),
        std::string("\xff\xfe"), std::string(100'000, '['), std::string(R"({"s":"\ud800"})")}) {
    EXPECT_EQ(transcoder_->Handle({"POST", "/v1/body", {}, body, ""}).status, 400) << body;
  }
}

// What the JSON may nest, a message may not: a level of a Struct is three of a message, and servers
// take a hundred of those.
TEST_F(TranscoderTest, DeepNestingIsTheCallersMistake) {
  for (int depth = 1; depth <= 63; ++depth) {
    std::string value;
    for (int i = 0; i < depth; ++i) value += R"({"a":)";
    value += "1" + std::string(static_cast<size_t>(depth), '}');
    for (const std::string& body : {R"({"struct":)" + value + "}", R"({"value":)" + value + "}"}) {
      const int status = transcoder_->Handle({"POST", "/v1/body", {}, body, ""}).status;
      EXPECT_TRUE(status == 400 || (status == 200 && depth < 40)) << depth << ": " << status;
      EXPECT_TRUE(status == 200 || depth > 30) << depth << ": " << status;
    }
  }
}

TEST_F(TranscoderTest, TextThatIsNotUtf8IsTheCallersMistake) {
  for (const char* target :
       {"/v1/query?s=%ff", "/v1/query?rS=%c3", "/v1/query?mS[%ff]=a", "/v1/query?mS[a]=%ff",
        "/v1/query?wS=%ff", "/v1/things/%ff", "/v1/all/a/%ed%a0%80"}) {
    EXPECT_EQ(Get(target).status, 400) << target;
  }
  EXPECT_EQ(Get("/v1/query?s=%c3%a4").status, 200);
}

TEST_F(TranscoderTest, AReadOnlyPortHasTheGetRoutesOnly) {
  transcode::Settings settings;
  settings.read_only = true;
  Make(settings);
  EXPECT_EQ(Get("/v1/query?s=a").status, 200);
  EXPECT_EQ(transcoder_->Handle({"POST", "/v1/none", {}, "{}", ""}).status, 404);
  EXPECT_EQ(transcoder_->Handle({"DELETE", "/v1/things/a", {}, "", ""}).status, 501);
  EXPECT_EQ(transcoder_->Handle({"PUT", "/v1/body/a", {}, "{}", ""}).status, 404);
}

TEST_F(TranscoderTest, StrangersCannotMakeLabels) {
  for (const auto& [method, target] :
       {std::pair("BREW", "/v1/things/x"), {"GET", "/no/such/path"}, {"get", "/v1/things/x"}}) {
    transcoder_->Handle({method, target, {}, "", ""});
    EXPECT_EQ(Last().route, "unknown") << method << target;
  }
  transcoder_->Handle({"BREW", "/", {}, "", ""});
  EXPECT_EQ(Last().method, "OTHER");
}

TEST_F(TranscoderTest, OutcomesCountOnce) {
  Get("/v1/things/x");
  EXPECT_EQ(Last().route, "get_thing");
  EXPECT_EQ(Last().status, 200);
  Get("/v1/fail/5");
  EXPECT_EQ(Last().status, 404);
  transcode::Response response = Get("/v1/count/1?fail=8");
  EXPECT_EQ(seen_.size(), 2u) << "a stream counts at its end";
  Body(response);
  response.stream.reset();
  ASSERT_EQ(seen_.size(), 3u);
  EXPECT_EQ(Last().route, "count");
  EXPECT_EQ(Last().status, 429) << "the error that came after 200";
}

TEST_F(TranscoderTest, ManyThreadsMayCall) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(Get("/v1/things/x").status, 200);
        transcode::Response response = Get("/v1/count/5");
        if (i % 2 == 1) continue;  // Dropped unread.
        EXPECT_THAT(Body(response), HasSubstr(R"("number":"5")"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TranscoderTest, AServerThatIsGoneIsUnavailable) {
  const auto channel = server_.Connect();
  transcode::Transcoder transcoder(
      []() {
        const Server gone("127.0.0.1:0");
        return gone.Connect();
      }(),
      {"krypton.oracle.v1.OracleService"});
  EXPECT_EQ(transcoder.Handle({"GET", "/v1/things/x", {}, "", ""}).status, 503);
}

TEST_F(TranscoderTest, TheOpenApiDocumentIsServed) {
  transcode::Response response = Get("/openapi.json");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, transcoder_->OpenApiJson());
  EXPECT_EQ(Last().route, "openapi");
}

}  // namespace
}  // namespace krypton::oracle
