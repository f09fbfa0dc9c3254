// What happens to a forwarded request when one of the three parties fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/http/proxy_fixture.h"
#include "common/testing/wait_for.h"

namespace krypton::http::testing {
namespace {

using namespace std::string_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kPost[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

TEST(ForwardFailureTest, MalformedAnswersNeverReachTheClient) {
  const std::string answers[] = {
      "garbage\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"s,
      "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n",
  };
  for (const std::string& answer : answers) {
    Recorder recorder(answer);
    Origin origin(recorder.script());
    ProxyFixture proxy(origin.address());
    RawSocket client = proxy.Connect();
    client.Send(kPost);
    const RawResponse response = ReadResponse(client);
    EXPECT_EQ(response.status, 502) << answer.substr(0, 80);
    EXPECT_EQ(response.Field("krypton-error"), "agent_unreachable");
    client.Send(kGet);
    ReadResponse(client);
    EXPECT_GE(origin.connections(), 2)
        << "the connection was used again after " << answer.substr(0, 80);
  }
}

TEST(ForwardFailureTest, IncompleteAnswerIsNeverFinished) {
  const std::string heads[] = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
  };
  for (const std::string& head : heads) {
    Origin origin([&](RawSocket& socket) {
      ReadRequest(socket);
      socket.Send(head);
    });
    ProxyFixture proxy(origin.address());
    RawSocket client = proxy.Connect();
    client.Send(kGet);
    const std::string all = client.ReceiveAll();
    EXPECT_THAT(all, HasSubstr("hel")) << head;
    EXPECT_THAT(all, Not(HasSubstr("\r\n0\r\n"))) << head;
    EXPECT_TRUE(client.saw_eof());
    EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAborted);
  }
}

TEST(ForwardFailureTest, NobodyListensIsConnectFailed) {
  std::string address;
  {
    address = Origin([](RawSocket&) {}).address();
  }
  ProxyFixture proxy(address);
  RawSocket client = proxy.Connect();
  client.Send(kPost);
  EXPECT_EQ(ReadResponse(client).status, 502);
  const ForwardResult result = proxy.WaitForResult();
  EXPECT_EQ(result.end, ForwardEnd::kConnectFailed);
  EXPECT_FALSE(result.sent);
  EXPECT_TRUE(result.replayable);
}

TEST(ForwardFailureTest, StaleConnectionIsReplacedForAnIdempotentRequest) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kOk);  // And closes, without having said so.
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  for (int i = 0; i < 20; ++i) {
    client.Send(kGet);
    ASSERT_EQ(ReadResponse(client).status, 200) << i;
  }
}

// An origin that answers `first` requests, then reads `bytes` of the next and closes. Counts what
// it got in full.
struct Flaky {
  explicit Flaky(size_t bytes)
      : origin([this, bytes](RawSocket& socket) {
          if (connections++ == 0) {
            if (ReadRequest(socket).empty()) return;
            socket.Send(kOk);
          }
          std::string got;
          while (got.size() < bytes) {
            const std::string piece = socket.Receive();
            if (piece.empty()) break;
            got += piece;
          }
          if (got.find("hello") != std::string::npos) ++deliveries;
          socket.Reset();
        }) {}
  std::atomic<int> connections{0};
  std::atomic<int> deliveries{0};
  Origin origin;
};

TEST(ForwardFailureTest, PostIsNeverDeliveredTwice) {
  for (const size_t bytes : {0, 1, 10, 30, 51, 52}) {
    Flaky flaky(bytes);
    ProxyFixture proxy(flaky.origin.address());
    RawSocket client = proxy.Connect();
    client.Send(kGet);
    EXPECT_EQ(ReadResponse(client).status, 200);
    client.Send(kPost);
    EXPECT_EQ(ReadResponse(client).status, 502);
    EXPECT_LE(flaky.deliveries, 1) << bytes;
    const ForwardResult result = proxy.WaitForResult(2);
    if (result.sent) {
      RequestHead post;
      post.method = "POST";
      EXPECT_FALSE(result.MayRetry(post));
    }
  }
}

TEST(ForwardFailureTest, NoAnswerInTimeIsATimeout) {
  Origin origin([](RawSocket& socket) { socket.WaitForEof(); });
  ProxyFixture proxy(origin.address(), [](Exchange& exchange, ForwardPlan& plan) {
    plan.deadline = exchange.worker().Now() + milliseconds(100);
  });
  RawSocket client = proxy.Connect();
  client.Send(kGet);
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.Field("krypton-error"), "agent_timeout");
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kTimedOut);
}

TEST(ForwardFailureTest, DeadlineInsideTheAnswerAbortsIt) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address(), [](Exchange& exchange, ForwardPlan& plan) {
    plan.deadline = exchange.worker().Now() + milliseconds(100);
  });
  RawSocket client = proxy.Connect();
  client.Send(kGet);
  EXPECT_THAT(client.ReceiveAll(), EndsWith("hello"));
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAborted);
}

TEST(ForwardFailureTest, ClientThatGoesAwayIsToldToTheEndpointAtOnce) {
  std::atomic<bool> ended{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    ended = socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  for (const bool reset : {false, true}) {
    ended = false;
    RawSocket client = proxy.Connect();
    client.Send(kPost);
    ASSERT_TRUE(WaitFor([&] { return proxy.fixture.server->requests_in_flight() == 1; }));
    if (reset) {
      client.Reset();
    } else {
      client.Close();
    }
    EXPECT_TRUE(WaitFor([&] { return ended.load(); }, milliseconds(1'000)));
  }
  EXPECT_EQ(proxy.WaitForResult(2).end, ForwardEnd::kClientGone);
}

TEST(ForwardFailureTest, ClientThatGoesAwayInsideItsBodyIsTold) {
  std::atomic<bool> ended{false};
  Origin origin([&](RawSocket& socket) {
    socket.ReceiveUntil("\r\n\r\n");
    ended = socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello");
  ASSERT_TRUE(WaitFor([&] { return origin.connections() == 1; }));
  client.Close();
  EXPECT_TRUE(WaitFor([&] { return ended.load(); }, milliseconds(1'000)));
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kClientGone);
}

TEST(ForwardFailureTest, BrokenBodyOfTheClientIsItsOwnError) {
  Origin origin([&](RawSocket& socket) { socket.WaitForEof(); });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  ASSERT_TRUE(WaitFor([&] { return origin.connections() == 1; }));
  client.Send("zz\r\n");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.Field("krypton-error"), "bad_request");
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kBadRequestBody);
}

TEST(ForwardFailureTest, SlowBodyOfTheClientIsARequestTimeout) {
  Origin origin([&](RawSocket& socket) { socket.WaitForEof(); });
  ServerSettings settings;
  settings.limits.body_timeout = milliseconds(100);
  ProxyFixture proxy(origin.address(), nullptr, settings);
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(response.Field("krypton-error"), "request_timeout");
}

// --- Replay ---

TEST(ForwardFailureTest, RefusedRequestIsSentAgainInFull) {
  Recorder refuses(
      "HTTP/1.1 503 No\r\nkrypton-error: over_capacity\r\nContent-Length: 2\r\n\r\nno");
  Recorder accepts(kOk);
  Origin first(refuses.script());
  Origin second(accepts.script());
  const Endpoint one = *Endpoint::Parse(first.address());
  const Endpoint two = *Endpoint::Parse(second.address());
  testing::Fixture fixture([&](Exchange& exchange, Client& client) -> Task<void> {
    // Not a capturing coroutine: the body below is one, and takes what it needs by value.
    struct Retry {
      static Task<void> Run(Exchange& ex, Client& cl, Endpoint to, Endpoint then) {
        ForwardPlan plan;
        plan.endpoint = to;
        plan.on_head = [](const ResponseHead& head, std::vector<std::string_view>&) {
          return head.fields.Get("krypton-error") == "over_capacity" ? OnHead::kRefuse
                                                                     : OnHead::kPass;
        };
        const ForwardResult result = co_await Forward(ex, cl, plan);
        EXPECT_EQ(result.end, ForwardEnd::kRefused);
        EXPECT_TRUE(result.MayRetry(ex.request()));
        plan.endpoint = then;
        co_await Forward(ex, cl, plan);
      }
    };
    return Retry::Run(exchange, client, one, two);
  });
  const std::string large(50'000, 'x');
  const std::string bodies[] = {
      "Content-Length: 5\r\n\r\nhello",
      "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      "Content-Length: 50000\r\n\r\n" + large,
      "\r\n",
  };
  const std::string seen[] = {
      "Content-Length: 5\r\n\r\nhello",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "Content-Length: 50000\r\n\r\n" + large,
      "\r\n",
  };
  for (int i = 0; i < 4; ++i) {
    RawSocket client = fixture.Connect();
    client.Send("POST / HTTP/1.1\r\nHost: a\r\n" + bodies[i]);
    EXPECT_EQ(ReadResponse(client).body, "ok") << i;
    EXPECT_TRUE(accepts.last() == "POST / HTTP/1.1\r\nHost: a\r\n" + seen[i]) << i;
  }
}

}  // namespace
}  // namespace krypton::http::testing
