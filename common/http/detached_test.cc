// Answers of events that outlive their handler (ForwardPlan::detach).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/http/proxy_fixture.h"
#include "common/testing/wait_for.h"

namespace krypton::http {
namespace {

using ::testing::EndsWith;
using testing::Fixture;
using ::testing::HasSubstr;
using testing::kPatience;
using testing::Origin;
using testing::ProxyFixture;
using testing::RawSocket;
using testing::ReadRequest;
using testing::ReadResponse;

constexpr char kHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr char kGet[] = "GET /events HTTP/1.1\r\nHost: a\r\n\r\n";

std::string Event(int i) { return "9\r\ndata: " + std::to_string(i) + "\n\n\r\n"; }

// A proxy that lets streams go, and counts how they end.
struct DetachingProxy {
  explicit DetachingProxy(const std::string& origin, milliseconds idle_timeout = {})
      : proxy(
            origin,
            [this, idle_timeout](Exchange&, ForwardPlan& plan) {
              plan.as_gateway = true;
              plan.stream_idle_timeout = idle_timeout;
              plan.on_stream_bytes = [this](uint64_t bytes) { stream_bytes += bytes; };
              plan.detach = [this] {
                ++detached;
                return [this] { ++ended; };
              };
            },
            Settings()) {}

  ServerSettings Settings() {
    ServerSettings settings;
    settings.on_end = [this](const Exchange& exchange) {
      status = exchange.status();
      sent = exchange.bytes_sent();
      ended_before_hook = ended.load();
      ++hooks;
    };
    return settings;
  }
  // The handler has returned and the stream goes on.
  void ExpectDetached(size_t requests = 1) {
    EXPECT_EQ(proxy.WaitForResult(requests).end, ForwardEnd::kDetached);
    EXPECT_EQ(detached, static_cast<int>(requests));
    EXPECT_EQ(ended, static_cast<int>(requests) - 1);
  }

  std::atomic<int> detached{0}, ended{0}, hooks{0}, ended_before_hook{0}, status{0};
  std::atomic<uint64_t> stream_bytes{0}, sent{0};
  ProxyFixture proxy;
};

TEST(DetachedTest, AStreamGoesOnAfterItsHandlerAndTheConnectionAfterTheStream) {
  std::atomic<int> confirmed{0};
  Origin origin([&](RawSocket& socket) {
    for (int request = 0; request < 2; ++request) {
      ReadRequest(socket);
      socket.Send(kHead);
      for (int i = 0; i < 5; ++i) {
        socket.Send(Event(i));
        if (!WaitFor([&] { return confirmed > 5 * request + i; })) return;
      }
      socket.Send("0\r\nX-End: yes\r\n\r\n");
    }
    socket.WaitForEof();
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  for (size_t request = 1; request <= 2; ++request) {
    client.Send(kGet);
    for (int i = 0; i < 5; ++i) {
      EXPECT_THAT(client.ReceiveUntil(Event(i)), HasSubstr(Event(i)));
      if (i == 0) to.ExpectDetached(request);
      ++confirmed;
    }
    EXPECT_THAT(client.ReceiveUntil("\r\n\r\n"), EndsWith("0\r\nX-End: yes\r\n\r\n"));
    EXPECT_TRUE(WaitFor([&] { return to.hooks == static_cast<int>(request); }));
    EXPECT_EQ(to.ended_before_hook, static_cast<int>(request));
  }
  EXPECT_EQ(to.status, 200);
  EXPECT_EQ(to.sent, 45u);
  EXPECT_EQ(to.stream_bytes, 90u);
  EXPECT_EQ(origin.connections(), 1);  // It went back to the pool.
}

TEST(DetachedTest, AClientThatGoesEndsTheStreamAtTheOrigin) {
  std::atomic<bool> seen_end{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    seen_end = socket.WaitForEof();
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  client.Send(kGet);
  client.ReceiveUntil(Event(1));
  to.ExpectDetached();
  client.Close();
  EXPECT_TRUE(WaitFor([&] { return seen_end && to.hooks == 1; }));
  EXPECT_EQ(to.ended, 1);
  EXPECT_EQ(to.status, 200);
}

TEST(DetachedTest, AnOriginThatBreaksLeavesTheAnswerIncomplete) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    socket.Receive(milliseconds(50));
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  client.Send(kGet);
  EXPECT_THAT(client.ReceiveAll(), EndsWith(Event(1)));
  EXPECT_TRUE(client.saw_eof());
  EXPECT_TRUE(WaitFor([&] { return to.ended == 1 && to.hooks == 1; }));
}

TEST(DetachedTest, ASilentStreamEndsBetweenItsEvents) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    socket.WaitForEof();
  });
  DetachingProxy to(origin.address(), milliseconds(50));
  RawSocket client = to.proxy.Connect();
  client.Send(kGet);
  EXPECT_THAT(client.ReceiveAll(), EndsWith(Event(1) + "0\r\n\r\n"));
  EXPECT_TRUE(WaitFor([&] { return to.ended == 1; }));
}

TEST(DetachedTest, ADrainEndsItBetweenItsEvents) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    socket.WaitForEof();
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  client.Send(kGet);
  client.ReceiveUntil(Event(1));
  to.ExpectDetached();
  const TimePoint now = Clock::now();
  to.proxy.fixture.server->Drain(now, now + kPatience);
  EXPECT_THAT(client.ReceiveAll(), EndsWith("0\r\n\r\n"));
  EXPECT_TRUE(WaitFor([&] { return to.ended == 1; }));
}

// A handler that forwards only once the server's drain has come.
struct LateProxy {
  explicit LateProxy(const std::string& origin)
      : fixture([this, to = *Endpoint::Parse(origin)](Exchange& exchange, Client& client) {
          return Serve(exchange, client, to);
        }) {}
  Task<void> Serve(Exchange& exchange, Client& client, Endpoint to) {
    http::Event drained(exchange.worker());
    exchange.OnCancel([&](Cancelled) { drained.Set(); });
    waiting = true;
    co_await drained.Wait();
    ForwardPlan plan;
    plan.endpoint = to;
    const ForwardResult result = co_await Forward(exchange, client, plan);
    end = result.end;
  }
  bool Drain() const {
    EXPECT_TRUE(WaitFor([&] { return waiting.load(); }));
    const TimePoint now = Clock::now();
    return fixture.server->Drain(now, now + kPatience);
  }

  std::atomic<bool> waiting{false};
  std::atomic<ForwardEnd> end{};
  Fixture fixture;
};

TEST(DetachedTest, ADrainThatCameBeforeTheStreamEndsItToo) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    socket.WaitForEof();
  });
  LateProxy proxy(origin.address());
  RawSocket client = proxy.fixture.Connect();
  client.Send(kGet);
  EXPECT_TRUE(proxy.Drain());
  EXPECT_THAT(client.ReceiveAll(), EndsWith("0\r\n\r\n"));
  EXPECT_EQ(proxy.end, ForwardEnd::kAnswered);
}

TEST(DetachedTest, AClientThatLeavesDuringADrainIsSeen) {
  std::atomic<bool> asked{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    asked = true;
    socket.WaitForEof(2 * kPatience);
  });
  LateProxy proxy(origin.address());
  RawSocket client = proxy.fixture.Connect();
  client.Send(kGet);
  std::thread leaver([&] {
    EXPECT_TRUE(WaitFor([&] { return asked.load(); }));
    client.Close();
  });
  EXPECT_TRUE(proxy.Drain());
  leaver.join();
  EXPECT_EQ(proxy.end, ForwardEnd::kClientGone);
}

TEST(DetachedTest, AServerThatStopsEndsItAtOnce) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + std::string("3\r\ndat\r\n"));
    socket.WaitForEof();
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  client.Send(kGet);
  client.ReceiveUntil("dat");
  to.ExpectDetached();
  to.proxy.fixture.server->Stop();
  EXPECT_TRUE(client.WaitForEof());
  EXPECT_EQ(to.ended, 1);
}

TEST(DetachedTest, APostOfEventsKeepsItsDeadline) {
  Origin origin([](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(kHead + Event(1));
    socket.WaitForEof();
  });
  std::atomic<int> ended{0};
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.deadline = Clock::now() + milliseconds(300);
    plan.detach = [&] { return [&] { ++ended; }; };
  });
  RawSocket client = proxy.Connect();
  client.Send("POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_THAT(client.ReceiveAll(), EndsWith(Event(1)));
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kDetached);
  EXPECT_TRUE(WaitFor([&] { return ended == 1; }));
}

TEST(DetachedTest, WhatIsCompleteOrNoEventsStaysWithItsHandler) {
  for (const std::string& answer :
       {kHead + Event(1) + "0\r\n\r\n",
        std::string(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")}) {
    testing::Recorder recorder(answer);
    Origin origin(recorder.script());
    DetachingProxy to(origin.address());
    RawSocket client = to.proxy.Connect();
    client.Send(kGet);
    EXPECT_EQ(ReadResponse(client).status, 200);
    EXPECT_EQ(to.proxy.WaitForResult().end, ForwardEnd::kAnswered);
    EXPECT_EQ(to.detached, 0);
  }
}

TEST(DetachedTest, WhileTheBodyGoesOnTheHandlerStays) {
  Origin origin([](RawSocket& socket) {
    socket.ReceiveUntil("begin");
    socket.Send(kHead + Event(1));
    socket.ReceiveUntil("end");
    socket.Send("0\r\n\r\n");
    socket.WaitForEof();
  });
  DetachingProxy to(origin.address());
  RawSocket client = to.proxy.Connect();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbegin");
  client.ReceiveUntil(Event(1));
  client.Send("end");
  EXPECT_THAT(client.ReceiveUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
  EXPECT_EQ(to.proxy.WaitForResult().end, ForwardEnd::kAnswered);
  EXPECT_EQ(to.detached, 0);
}

}  // namespace
}  // namespace krypton::http
