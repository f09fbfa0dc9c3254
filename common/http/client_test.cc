#include "common/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/http/proxy_fixture.h"
#include "common/http/text.h"
#include "common/http/upstream.h"
#include "common/testing/wait_for.h"

namespace krypton::http {
namespace {

using testing::Fixture;
using ::testing::HasSubstr;
using testing::kOk;
using testing::Origin;
using testing::ProxyFixture;
using testing::RawResponse;
using testing::RawSocket;
using testing::ReadRequest;
using testing::ReadResponse;
using testing::Recorder;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(EndpointTest, AddressesAreNumericOrPaths) {
  for (const char* good : {"127.0.0.1:80", "[::1]:80", "/run/x.sock", "localhost:1", "0.0.0.0:0"}) {
    EXPECT_TRUE(Endpoint::Parse(good).ok()) << good;
  }
  for (const char* bad : {"", "a", "a:80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "::1"}) {
    EXPECT_FALSE(Endpoint::Parse(bad).ok()) << bad;
  }
}

// Calls the origin and answers with what came.
struct Caller {
  Endpoint endpoint;
  Client::Request request;
  milliseconds patience{5'000};

  Task<void> Call(Exchange& exchange, Client& client) {
    const TimePoint deadline = exchange.worker().Now() + patience;
    const absl::StatusOr<Client::Response> response =
        co_await client.Call(endpoint, request, deadline);
    if (response.ok()) {
      co_await exchange.Respond(response->head.status, {},
                                Concat(response->head.fields.Get("x"), " ", response->body));
    } else {
      co_await exchange.Respond(599, {}, response.status().ToString());
    }
  }
};

RawResponse CallOnce(Caller caller) {
  const Fixture fixture(
      [&](Exchange& exchange, Client& client) { return caller.Call(exchange, client); });
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  return ReadResponse(client);
}

TEST(ClientTest, CallReadsEachFraming) {
  for (const char* answer : {
           "HTTP/1.1 203 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello",
           "HTTP/1.1 203 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 203 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello",
       }) {
    Recorder recorder(answer);
    Origin origin(recorder.script());
    Caller caller{*Endpoint::Parse(origin.address()), {}};
    caller.request.method = "POST";
    caller.request.target = "/t";
    caller.request.host = "h";
    caller.request.fields = {{"Accept", "z"}};
    caller.request.body = "ask";
    const RawResponse response = CallOnce(caller);
    EXPECT_EQ(response.status, 203);
    EXPECT_EQ(response.body, "y hello");
    EXPECT_EQ(recorder.last(),
              "POST /t HTTP/1.1\r\nHost: h\r\nAccept: z\r\nContent-Length: 3\r\n\r\nask");
  }
}

TEST(ClientTest, CallSaysWhatWentWrong) {
  const struct {
    const char* answer;
    const char* says;
  } rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "UNAVAILABLE"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\nhello", "RESOURCE_EXHAUSTED"},
      {"garbage\r\n\r\n", "UNAVAILABLE"},
      {"", "UNAVAILABLE"},
  };
  for (const auto& row : rows) {
    Origin origin([&](RawSocket& socket) {
      ReadRequest(socket);
      socket.Send(row.answer);
    });
    const RawResponse response = CallOnce({*Endpoint::Parse(origin.address()), {}});
    EXPECT_THAT(response.body, HasSubstr(row.says)) << row.answer;
  }
  Origin silent([](RawSocket& socket) { socket.WaitForEof(); });
  Caller caller{*Endpoint::Parse(silent.address()), {}, milliseconds(50)};
  EXPECT_THAT(CallOnce(caller).body, HasSubstr("DEADLINE_EXCEEDED"));
}

TEST(ClientTest, ConnectionsAreKeptAndSharedByRequests) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  for (int i = 0; i < 10; ++i) {
    RawSocket client = proxy.Connect();
    client.Send(kGet);
    EXPECT_EQ(ReadResponse(client).status, 200);
  }
  EXPECT_EQ(origin.connections(), 1);
  EXPECT_TRUE(proxy.WaitForResult(2).reused_connection);
}

// As on a busy worker, where the answer was read before its edge was told.
TEST(ClientTest, AnEdgeWithoutBytesDoesNotEndAnIdleConnection) {
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 200);
  proxy.fixture.workers.ForEach([&](Worker& worker) {
    Client::Pool& pool = proxy.fixture.client->pool(worker);
    auto connection = pool.Take(*Endpoint::Parse(origin.address()), false);
    ASSERT_NE(connection, nullptr);
    UpstreamConnection& idle = *connection;
    pool.Give(std::move(connection));
    idle.OnReadable();
  });
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_TRUE(proxy.WaitForResult(2).reused_connection);
  EXPECT_EQ(origin.connections(), 1);
}

TEST(ClientTest, ForgottenEndpointsAreClosed) {
  std::atomic<bool> ended{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kOk);
    ended = socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kGet);
  EXPECT_EQ(ReadResponse(client).status, 200);
  proxy.fixture.client->Forget(*Endpoint::Parse(origin.address()));
  EXPECT_TRUE(WaitFor([&] { return ended.load(); }));
}

TEST(ClientTest, IdleConnectionsEndAfterTheirTime) {
  std::atomic<bool> ended{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kOk);
    ended = socket.WaitForEof();
  });
  ClientSettings settings;
  settings.idle_timeout = milliseconds(10);
  Caller caller{*Endpoint::Parse(origin.address()), {}};
  const Fixture fixture(
      [&](Exchange& exchange, Client& client) { return caller.Call(exchange, client); }, {}, 1,
      settings);
  RawSocket client = fixture.Connect();
  client.Send(kGet);
  ReadResponse(client);
  EXPECT_TRUE(WaitFor([&] { return ended.load(); }));
}

Task<void> ProbeIt(Exchange& exchange, Client& client, Endpoint endpoint) {
  const absl::Status status = co_await client.Probe(endpoint, milliseconds(500));
  co_await exchange.Respond(status.ok() ? 200 : 503, {}, status.ToString());
}

TEST(ClientTest, ProbeSaysWhetherSomebodyListens) {
  std::string address;
  for (const bool open : {true, false}) {
    auto origin = std::make_unique<Origin>([](RawSocket& socket) { socket.WaitForEof(); });
    const Endpoint endpoint = *Endpoint::Parse(origin->address());
    if (!open) origin.reset();
    const Fixture fixture(
        [&](Exchange& exchange, Client& client) { return ProbeIt(exchange, client, endpoint); });
    RawSocket client = fixture.Connect();
    client.Send(kGet);
    EXPECT_EQ(ReadResponse(client).status, open ? 200 : 503);
  }
}

// --- ForwardCollected ---

class CollectedTest : public ::testing::Test {
 protected:
  RawResponse Ask(const std::string& request) {
    RawSocket client = fixture.Connect();
    client.Send(request);
    return ReadResponse(client);
  }
  Recorder recorder{kOk};
  Origin origin{recorder.script()};
  Endpoint endpoint = *Endpoint::Parse(origin.address());
  Fixture fixture{[this](Exchange& exchange, Client& client) {
    CollectSettings settings;
    settings.max_body_bytes = 10;
    return ForwardCollected(exchange, client, endpoint, settings);
  }};
};

TEST_F(CollectedTest, WholeBodyGoesWithItsLength) {
  EXPECT_EQ(Ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
                .body,
            "ok");
  EXPECT_EQ(recorder.last(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_F(CollectedTest, PercentInValuesArrivesAsSent) {
  Ask("GET / HTTP/1.1\r\nHost: a\r\nX: a%0D%0AEvil: b\r\nY: z\r\n\r\n");
  EXPECT_EQ(recorder.last(), "GET / HTTP/1.1\r\nHost: a\r\nY: z\r\nX: a%250D%250AEvil: b\r\n\r\n");
}

TEST_F(CollectedTest, WhatItMustNotMeetIsRefused) {
  EXPECT_EQ(Ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890").status, 413);
  EXPECT_EQ(
      Ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab")
          .status,
      415);
  EXPECT_TRUE(recorder.requests().empty());
}

TEST_F(CollectedTest, UpgradeIsNotOffered) {
  Ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(recorder.last(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

}  // namespace
}  // namespace krypton::http
