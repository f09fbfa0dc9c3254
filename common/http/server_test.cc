#include "common/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/http/testing.h"
#include "common/http/text.h"
#include "common/testing/wait_for.h"

namespace krypton::http {
namespace {

using namespace std::string_literals;
using testing::Fixture;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawResponse;
using testing::RawSocket;
using testing::ReadResponse;

constexpr char kGet[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

Task<void> Ok(Exchange& exchange, Client&) {
  const Field fields[] = {{"Content-Type", "text/plain"}};
  co_await exchange.Respond(200, fields, Concat("path ", exchange.request().path));
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const Fixture fixture(Ok);
  RawSocket client = fixture.Connect();
  std::string all;
  for (int i = 0; i < 100; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  client.Send(all);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(ReadResponse(client).body, "path /" + std::to_string(i));
  }
}

TEST(ServerTest, UnreadBodyIsSkippedBeforeTheNextRequest) {
  const Fixture fixture(Ok);
  RawSocket client = fixture.Connect();
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"s + kGet);
  EXPECT_EQ(ReadResponse(client).body, "path /a");
  EXPECT_EQ(ReadResponse(client).body, "path /x");
}

TEST(ServerTest, BodyThatIsStillToComeEndsTheConnection) {
  const Fixture fixture(Ok);
  RawSocket client = fixture.Connect();
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nhello");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("connection"), "close");
  client.Send(std::string(400'000, 'x'));
  EXPECT_TRUE(client.WaitForEof());
}

TEST(ServerTest, ConnectionPersistsAsTheVersionSays) {
  const Fixture fixture(Ok);
  const struct {
    const char* request;
    const char* connection;
    bool persists;
  } rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", "close", false},
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "close", false},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive", true},
  };
  for (const auto& row : rows) {
    RawSocket client = fixture.Connect();
    client.Send(row.request);
    EXPECT_EQ(ReadResponse(client).Field("connection"), row.connection) << row.request;
    if (row.persists) {
      client.Send(row.request);
      EXPECT_EQ(ReadResponse(client).status, 200) << row.request;
    } else {
      EXPECT_TRUE(client.WaitForEof()) << row.request;
    }
  }
}

TEST(ServerTest, SlowHeadIsARequestTimeout) {
  ServerSettings settings;
  settings.limits.head_timeout = milliseconds(100);
  const Fixture fixture(Ok, settings);
  RawSocket client = fixture.Connect();
  client.Send("GET / HT");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(response.Field("krypton-error"), "request_timeout");
}

TEST(ServerTest, DrippingHeadIsARequestTimeout) {
  ServerSettings settings;
  settings.limits.head_timeout = milliseconds(200);
  const Fixture fixture(Ok, settings);
  RawSocket client = fixture.Connect();
  client.Send("GET / HTTP/1.1\r\nX: ");
  std::string answer;
  while (answer.empty() && client.Send("a")) answer = client.Receive(milliseconds(10));
  EXPECT_THAT(answer, HasSubstr("408 Request Timeout"));
}

TEST(ServerTest, SilentConnectionIsClosedWithoutAWord) {
  ServerSettings settings;
  settings.limits.idle_timeout = milliseconds(50);
  const Fixture fixture(Ok, settings);
  RawSocket client = fixture.Connect();
  EXPECT_EQ(client.ReceiveAll(), "");
  EXPECT_TRUE(client.saw_eof());
  RawSocket after_one = fixture.Connect();
  after_one.Send(kGet);
  EXPECT_EQ(ReadResponse(after_one).status, 200);
  EXPECT_EQ(after_one.ReceiveAll(), "");
  EXPECT_TRUE(after_one.saw_eof());
}

TEST(ServerTest, AnIdleConnectionLearnsOfADrainFromItsNextAnswer) {
  const Fixture fixture(Ok, {});
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 200);
  fixture.server->BeginDrain(/*keep_listening=*/true);
  EXPECT_EQ(client.Receive(milliseconds(100)), "");
  EXPECT_FALSE(client.saw_eof());
  client.Send(kGet);
  EXPECT_THAT(client.ReceiveAll(), HasSubstr("Connection: close"));
  RawSocket idle = fixture.Connect();
  idle.Send(kGet);
  EXPECT_EQ(ReadResponse(idle).status, 200) << "new connections are served";
  fixture.server->BeginDrain();
  EXPECT_EQ(idle.ReceiveAll(), "");
  EXPECT_TRUE(idle.saw_eof());
}

TEST(ServerTest, ConnectionsAboveTheLimitWaitForOneToEnd) {
  ServerSettings settings;
  settings.limits.max_connections = 2;
  const Fixture fixture(Ok, settings);
  RawSocket one = fixture.Connect();
  RawSocket two = fixture.Connect();
  ASSERT_TRUE(WaitFor([&] { return fixture.server->connections() == 2; }));
  RawSocket three = fixture.Connect();
  three.Send(kGet);
  EXPECT_EQ(three.Receive(milliseconds(100)), "");
  one.Close();
  EXPECT_EQ(ReadResponse(three).status, 200);
}

TEST(ServerTest, PortInUseIsAnErrorThatNamesIt) {
  const Fixture fixture(Ok);
  Workers workers(1);
  workers.Start();
  ServerSettings settings;
  settings.bind_address = fixture.address;
  Server second(workers, settings, [](Exchange&) -> Task<void> { co_return; });
  const absl::StatusOr<std::string> started = second.Start();
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(std::string(started.status().message()), HasSubstr(fixture.address));
}

TEST(ServerTest, UnixSocketServes) {
  ServerSettings settings;
  settings.bind_address = ::testing::TempDir() + "krypton_http_test.sock";
  const Fixture fixture(Ok, settings);
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).body, "path /x");
}

TEST(ServerTest, RequestThatTheHandlerForgotIsAnswered) {
  const Fixture fixture([](Exchange&, Client&) -> Task<void> { co_return; });
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 502);
}

Task<void> Throw(Exchange&, Client&) {
  throw std::runtime_error("expected");
  co_return;
}

TEST(ServerTest, HandlerThatThrowsEndsItsRequestOnly) {
  const Fixture fixture(Throw);
  RawSocket client = fixture.Connect();
  for (int i = 0; i < 2; ++i) {
    client.Send(kGet);
    EXPECT_EQ(ReadResponse(client).status, 502);
  }
}

TEST(ServerTest, EveryRequestEndsInOneCallOfOnEnd) {
  std::mutex mutex;
  std::vector<std::string> ends;
  ServerSettings settings;
  settings.on_end = [&](const Exchange& exchange) {
    const std::lock_guard lock(mutex);
    ends.push_back(Concat(exchange.request().method, " ", std::to_string(exchange.status())));
  };
  const Fixture fixture(Ok, settings);
  RawSocket client = fixture.Connect();
  client.Send(kGet + "garbage\r\n\r\n"s);
  ReadResponse(client);
  EXPECT_EQ(ReadResponse(client).status, 400);
  ASSERT_TRUE(WaitFor([&] {
    const std::lock_guard lock(mutex);
    return ends.size() == 2;
  }));
  EXPECT_THAT(ends, ::testing::ElementsAre("GET 200", " 400"));
}

// --- Answers ---

TEST(ExchangeTest, ErrorsHaveTheShapeOfTheTable) {
  const Fixture fixture([](Exchange& exchange, Client&) {
    return exchange.RespondError({.code = ErrorCode::kQueueFull,
                                  .message = "queue of \"a\" is full\x01",
                                  .param = "p",
                                  .retry_after_seconds = 7});
  });
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Field("retry-after"), "7");
  EXPECT_EQ(response.Field("krypton-error"), "queue_full");
  EXPECT_EQ(response.Field("content-type"), "application/json");
  EXPECT_EQ(response.body,
            "{\"error\":{\"code\":\"queue_full\",\"message\":\"queue of \\\"a\\\" is full\\u0001\","
            "\"type\":\"server_error\",\"param\":\"p\"}}\n");
}

TEST(ErrorTest, AMessageIsUtf8WhateverItQuotes) {
  const std::string body = ErrorBody({.code = ErrorCode::kModelNotFound,
                                      .message = "\"gr\xc3\xbc\xc3\x9f\" \xff \xc3",
                                      .param = {}});
  EXPECT_NE(body.find("\"message\":\"\\\"gr\xc3\xbc\xc3\x9f\\\" \xef\xbf\xbd \xef\xbf\xbd\""),
            std::string::npos)
      << body;
}

Task<void> Stream(Exchange& exchange, Client&) {
  const Field fields[] = {{"Content-Type", "text/plain"}};
  bool good = co_await exchange.Start(200, fields);
  good = good && co_await exchange.Write("hello ");
  good = good && co_await exchange.Write("world");
  if (good) co_await exchange.Finish();
}

TEST(ExchangeTest, StreamedAnswerIsChunked) {
  const Fixture fixture(Stream);
  RawSocket client = fixture.Connect();
  for (int i = 0; i < 2; ++i) {
    client.Send(kGet);
    const RawResponse response = ReadResponse(client);
    EXPECT_EQ(response.body, "hello world");
    EXPECT_EQ(response.Field("transfer-encoding"), "chunked");
  }
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"s + kGet);
  ReadResponse(client, true);
  EXPECT_EQ(ReadResponse(client).body, "hello world");
  client.Send("GET / HTTP/1.0\r\n\r\n");
  const RawResponse old = ReadResponse(client);
  EXPECT_EQ(old.body, "hello world");
  EXPECT_EQ(old.Field("connection"), "close");
}

Task<void> StartAndLeave(Exchange& exchange, Client&) {
  co_await exchange.Start(200, {});
  co_await exchange.Write("hello");
}

TEST(ExchangeTest, AnswerThatIsNotFinishedLooksIncomplete) {
  const Fixture fixture(StartAndLeave);
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  const std::string all = client.ReceiveAll();
  EXPECT_THAT(all, HasSubstr("hello"));
  EXPECT_THAT(all, Not(HasSubstr("\r\n0\r\n")));
  EXPECT_TRUE(client.saw_eof());
}

Task<void> Hold(Exchange& exchange, Client&) {
  const absl::StatusOr<std::string_view> body = co_await exchange.HoldBody(10);
  if (!body.ok()) {
    co_await exchange.RespondError(exchange.BodyError());
  } else {
    co_await exchange.Respond(200, {}, *body);
  }
}

TEST(ExchangeTest, HeldBodyIsBounded) {
  const Fixture fixture(Hold);
  RawSocket client = fixture.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_EQ(ReadResponse(client).body, "0123456789");
  client.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.Field("krypton-error"), "body_too_large");
}

TEST(ExchangeTest, ReadingTheBodySays100Continue) {
  const Fixture fixture(Hold);
  RawSocket client = fixture.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReceiveUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  EXPECT_EQ(ReadResponse(client).body, "hello");
}

// --- Waiting ---

struct Waiter {
  std::atomic<int> waiting{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> timed_out{0};
  std::atomic<int> set{0};
  milliseconds patience{60'000};

  Task<void> Wait(Exchange& exchange) {
    Event event(exchange.worker());
    ++waiting;
    const WaitResult result = co_await exchange.WaitFor(event, exchange.worker().Now() + patience);
    if (result == WaitResult::kCancelled) ++cancelled;
    if (result == WaitResult::kTimedOut) {
      ++timed_out;
      co_await exchange.RespondError(ErrorCode::kStartTimeout, "too late");
    }
  }
};

TEST(ExchangeTest, WaitingIsCancelledWhenTheClientGoesAway) {
  Waiter waiter;
  const Fixture fixture([&](Exchange& exchange, Client&) { return waiter.Wait(exchange); });
  for (int i = 1; i <= 3; ++i) {
    RawSocket client = fixture.Connect();
    // Also behind bytes that nobody reads.
    client.Send(i == 1 ? kGet : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nx");
    ASSERT_TRUE(WaitFor([&] { return waiter.waiting == i; }));
    if (i == 3) client.Send("more");
    client.Close();
    EXPECT_TRUE(WaitFor([&] { return waiter.cancelled == i; }, milliseconds(1'000))) << i;
  }
}

TEST(ExchangeTest, WaitingEndsAtItsDeadline) {
  Waiter waiter;
  waiter.patience = milliseconds(60);
  const Fixture fixture([&](Exchange& exchange, Client&) { return waiter.Wait(exchange); });
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 504);
  EXPECT_EQ(waiter.timed_out, 1);
}

TEST(ExchangeTest, StopCancelsWhoWaits) {
  Waiter waiter;
  Fixture fixture([&](Exchange& exchange, Client&) { return waiter.Wait(exchange); });
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  ASSERT_TRUE(WaitFor([&] { return waiter.waiting == 1; }));
  fixture.server->Stop();
  EXPECT_EQ(waiter.cancelled, 1);
}

// --- Several workers, many clients ---

TEST(ServerTest, ManyClientsOnSeveralWorkers) {
  const Fixture fixture(Ok, {}, 3);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int c = 0; c < 5; ++c) {
        RawSocket client = fixture.Connect();
        for (int i = 0; i < 20; ++i) {
          client.Send(kGet);
          if (ReadResponse(client).status == 200) ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 600);
  EXPECT_TRUE(WaitFor([&] { return fixture.server->connections() == 0; }));
}

}  // namespace
}  // namespace krypton::http
