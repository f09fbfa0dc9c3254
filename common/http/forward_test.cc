#include "common/http/forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <semaphore>

#include "common/http/forward_head.h"
#include "common/http/proxy_fixture.h"
#include "common/testing/wait_for.h"

namespace krypton::http::testing {
namespace {

using namespace std::string_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr milliseconds kSoon{300};

std::string Get(const std::string& lines = "") {
  return "GET /x HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
}

// --- Heads ---

struct FieldRow {
  const char* sent;
  const char* passed;  // The lines behind Host, in order.
};

TEST(ForwardTest, EndpointSeesTheRequestWithoutHopByHopFields) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  const FieldRow rows[] = {
      {"", ""},
      {"X: y\r\nx: Z\r\n", "X: y\r\nx: Z\r\n"},
      {"Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n", ""},
      {"Connection: X-A, x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n", "X-C: 3\r\n"},
      {"Connection: X-A\r\nConnection: X-B\r\nX-A: 1\r\nX-B: 2\r\n", ""},
      {"Connection: Host, Authorization\r\nAuthorization: b\r\n", "Authorization: b\r\n"},
      {"Connection: X-Forwarded-For\r\nX-Forwarded-For: 1.2.3.4\r\n",
       "X-Forwarded-For: 1.2.3.4\r\n"},
      {"Connection: Content-Length\r\nContent-Length: 0\r\n", "Content-Length: 0\r\n"},
      {"Connection: Cookie, krypton-wait\r\nCookie: c\r\nkrypton-wait: 5\r\n",
       "Cookie: c\r\nkrypton-wait: 5\r\n"},
      {"TE: trailers, gzip\r\n", "Connection: TE\r\nTE: trailers\r\n"},
      {"TE: gzip\r\n", ""},
      {"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n", ""},
      {"Upgrade: websocket\r\n", ""},
      {"Proxy-Authorization: x\r\n", ""},
      {"traceparent: 00-a-b-01\r\ntracestate: c\r\n",
       "traceparent: 00-a-b-01\r\ntracestate: c\r\n"},
      {"X-Empty:\r\n", "X-Empty: \r\n"},
  };
  for (const FieldRow& row : rows) {
    client.Send(Get(row.sent));
    EXPECT_EQ(ReadResponse(client).status, 200) << row.sent;
    EXPECT_EQ(recorder.last(), "GET /x HTTP/1.1\r\nHost: a\r\n"s + row.passed + "\r\n") << row.sent;
  }
  EXPECT_EQ(origin.connections(), 1);
}

TEST(ForwardTest, GatewaySaysWhereTheRequestComesFrom) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  bool trust = false;
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.as_gateway = true;
    plan.prefix = "/v1/agents/default/a";
    plan.target = "/y?z";
    plan.trust_forwarded = trust;
    plan.set_fields = {{"krypton-wait", "20"}};
    static constexpr std::string_view kDropped[] = {"x-secret"};
    plan.drop_fields = kDropped;
  });
  RawSocket client = proxy.Connect();
  const std::string sent =
      Get("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Prefix: /p\r\nForwarded: for=9.9.9.9\r\nVia: 1.1 other\r\nX-Secret: s\r\n"
          "Krypton-Wait: 999\r\n");
  client.Send(sent);
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_EQ(recorder.last(),
            "GET /y?z HTTP/1.1\r\nHost: a\r\nkrypton-wait: 20\r\n"
            "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Prefix: /v1/agents/default/a\r\nVia: 1.1 other, 1.1 krypton\r\n\r\n");
  trust = true;
  client.Send(sent);
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_THAT(recorder.last(), HasSubstr("X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n"));
  EXPECT_THAT(recorder.last(), HasSubstr("X-Forwarded-Host: evil\r\n"));
  EXPECT_THAT(recorder.last(), HasSubstr("X-Forwarded-Proto: https\r\n"));
  EXPECT_THAT(recorder.last(), HasSubstr("X-Forwarded-Prefix: /p/v1/agents/default/a\r\n"));
}

// llama.cpp's server closes after an event stream without having said so.
TEST(ForwardTest, AnAgentsConnectionIsNotUsedAgainAfterAnEventStream) {
  for (const bool as_gateway : {false, true}) {
    // The body comes when the head has passed, and takes its place in the buffer.
    std::binary_semaphore head_passed(0);
    Origin origin([&](RawSocket& socket) {
      while (!ReadRequest(socket).empty()) {
        socket.Send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 900\r\n\r\n");
        head_passed.acquire();
        socket.Send(std::string(900, '\n'));
      }
    });
    ProxyFixture proxy(origin.address(),
                       [&](Exchange&, ForwardPlan& plan) { plan.as_gateway = as_gateway; });
    RawSocket client = proxy.Connect();
    for (int i = 0; i < 2; ++i) {
      client.Send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
      EXPECT_THAT(client.ReceiveUntil("\r\n\r\n"), HasSubstr("200 OK"));
      head_passed.release();
      for (size_t got = 0; got < 900;) {
        const std::string piece = client.Receive();
        ASSERT_FALSE(piece.empty());
        got += piece.size();
      }
    }
    EXPECT_EQ(origin.connections(), as_gateway ? 1 : 2);
  }
}

TEST(ForwardTest, AnswerLosesHopByHopFieldsAndWhatTheHookDrops) {
  Recorder recorder(
      "HTTP/1.1 200 Fine\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX: y\r\n"
      "krypton-load: 3\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: "
      "2\r\n\r\nok");
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address(), [](Exchange& exchange, ForwardPlan& plan) {
    plan.as_gateway = true;
    exchange.AddResponseHeader("Server-Timing", "queue;dur=1");
    plan.on_head = [](const ResponseHead& head, std::vector<std::string_view>& drop) {
      EXPECT_EQ(head.fields.Get("krypton-load"), "3");
      drop.push_back("krypton-load");
      return OnHead::kPass;
    };
  });
  RawSocket client = proxy.Connect();
  client.Send(Get());
  EXPECT_EQ(ReadResponse(client).head,
            "HTTP/1.1 200 Fine\r\nX: y\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
            "Content-Length: 2\r\nServer-Timing: queue;dur=1\r\n\r\n");
}

TEST(ForwardTest, LocationIsRewrittenUnderThePrefix) {
  const char* rows[][2] = {
      {"/mcp", "/p/mcp"},
      {"http://a:1/mcp?x", "/p/mcp?x"},
      {"http://a:1", "/p/"},
      {"https://a:1/", "/p/"},
      {"http://b/mcp", "http://b/mcp"},
      {"//b/mcp", "//b/mcp"},
      {"mcp", "mcp"},
      {"/p/mcp", "/p/mcp"},
      {"/pq", "/p/pq"},
      {"http://a:12/x", "http://a:12/x"},
      {"", ""},
      {"/p", "/p"},
  };
  for (const auto& row : rows) EXPECT_EQ(RewriteLocation(row[0], "a:1", "/p"), row[1]) << row[0];
}

// --- Bodies ---

TEST(ForwardTest, BodiesKeepTheirFraming) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(ReadResponse(client).body, "ok");
  EXPECT_EQ(recorder.last(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  client.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
      "2;ext\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\nHost: evil\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).body, "ok");
  EXPECT_EQ(recorder.last(),
            "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n0\r\nX: y\r\n\r\n");
}

TEST(ForwardTest, LargeBodiesFlowBothWaysAtOnce) {
  // Echoes each piece as it comes: a proxy that waits for one side before the other would stop
  // here.
  Origin origin([](RawSocket& socket) {
    std::string head = socket.ReceiveUntil("\r\n\r\n");
    const size_t end = head.find("\r\n\r\n") + 4;
    socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + head.substr(end));
    for (size_t seen = head.size() - end; seen < 4'000'000;) {
      const std::string piece = socket.Receive();
      if (piece.empty()) return;
      seen += piece.size();
      socket.Send(piece);
    }
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  std::string body(4'000'000, 'x');
  for (size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i / 1000 % 26);
  std::thread sender([&] {
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n");
    client.Send(body);
  });
  const RawResponse response = ReadResponse(client);
  sender.join();
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == body);
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAnswered);
}

TEST(ForwardTest, EventsArriveOneByOneAsTheyAreSent) {
  std::atomic<int> confirmed{0};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5; ++i) {
      socket.Send("9\r\ndata: " + std::to_string(i) + "\n\n\r\n");
      // The next one only when the client has this one.
      if (!WaitFor([&] { return confirmed > i; })) return;
    }
    socket.Send("0\r\nX-End: yes\r\n\r\n");
    socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(Get());
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(client.ReceiveUntil("data: " + std::to_string(i) + "\n\n"),
                HasSubstr("data: " + std::to_string(i)));
    ++confirmed;
  }
  EXPECT_THAT(client.ReceiveUntil("\r\n\r\n"), EndsWith("0\r\nX-End: yes\r\n\r\n"));
  EXPECT_TRUE(proxy.WaitForResult().stream);
}

TEST(ForwardTest, BodyUntilCloseBecomesChunked) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send("HTTP/1.0 200 OK\r\n\r\nhello");
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  for (int i = 0; i < 2; ++i) {
    client.Send(Get());
    const RawResponse response = ReadResponse(client);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.Field("transfer-encoding"), "chunked");
  }
}

TEST(ForwardTest, OldClientGetsNoChunksAndAClosedConnection) {
  Recorder recorder(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
      "0\r\nX: y\r\n\r\n");
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.ReceiveAll(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

TEST(ForwardTest, AnswersWithoutBodyLeaveTheConnectionUsable) {
  const char* answers[] = {
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
      "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  };
  for (const char* answer : answers) {
    Recorder recorder(answer);
    Origin origin(recorder.script());
    ProxyFixture proxy(origin.address());
    RawSocket client = proxy.Connect();
    client.Send(Get() + Get());
    EXPECT_EQ(ReadResponse(client).head, answer);
    EXPECT_EQ(ReadResponse(client).head, answer);
  }
}

TEST(ForwardTest, HeadHasTheLengthAndNoBody) {
  Recorder recorder("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  const std::string head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
  client.Send(head + head);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ReadResponse(client, true).head, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  }
}

TEST(ForwardTest, BodyWhereNoneBelongsIsNotTakenForTheNextAnswer) {
  Recorder recorder(
      "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send(Get());
    EXPECT_EQ(ReadResponse(client).status, 204);
  }
  EXPECT_EQ(origin.connections(), 3);
}

// --- Interim answers ---

TEST(ForwardTest, NothingIsSaidBeforeTheEndpointSays100) {
  std::atomic<bool> say_continue{false};
  Origin origin([&](RawSocket& socket) {
    EXPECT_THAT(socket.ReceiveUntil("\r\n\r\n"), HasSubstr("Expect: 100-continue\r\n"));
    WaitFor([&] { return say_continue.load(); });
    socket.Send("HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(socket.ReceiveUntil("hello"), "hello");
    socket.Send(kOk);
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Receive(kSoon), "");
  say_continue = true;
  EXPECT_EQ(client.ReceiveUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  EXPECT_EQ(ReadResponse(client).body, "ok");
}

TEST(ForwardTest, FinalAnswerInsteadOf100IsPassedAndTheConnectionEnds) {
  Origin origin([&](RawSocket& socket) {
    socket.ReceiveUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno");
    socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  const RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.Field("connection"), "close");
  EXPECT_TRUE(client.WaitForEof());
}

TEST(ForwardTest, EarlyHintsPassOnlyToHttp11) {
  Recorder recorder("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\nConnection: close\r\n\r\n"s + kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(Get());
  EXPECT_EQ(ReadResponse(client).head, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).status, 200);
  RawSocket old = proxy.Connect();
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(ReadResponse(old).status, 200);
}

TEST(ForwardTest, EarlyAnswerToALargeUploadReachesTheClient) {
  Origin origin([&](RawSocket& socket) {
    socket.ReceiveUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    socket.ShutdownWrite();
    socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
  client.Send(std::string(400'000, 'x'));
  EXPECT_EQ(ReadResponse(client).status, 413);
}

}  // namespace
}  // namespace krypton::http::testing
