// Upgraded connections, and how streams end when the server drains.
#include "common/http/tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "common/http/proxy_fixture.h"
#include "common/testing/wait_for.h"

namespace krypton::http::testing {
namespace {

using namespace std::string_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr milliseconds kSoon{200};
constexpr char kUpgrade[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr char kSwitching[] =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s\r\n\r\n";

// A WebSocket frame with an unmasked text payload.
std::string Frame(const std::string& payload) {
  return "\x81" + std::string(1, static_cast<char>(payload.size())) + payload;
}

// Accepts the upgrade, then gives back what comes.
void Echo(RawSocket& socket) {
  socket.ReceiveUntil("\r\n\r\n");
  socket.Send(kSwitching);
  while (true) {
    const std::string piece = socket.Receive();
    if (piece.empty()) break;
    socket.Send(piece);
  }
}

TEST(TunnelTest, BytesPassBothWaysAfterThe101) {
  Origin origin(Echo);
  uint64_t bytes = 0;
  ProxyFixture proxy(origin.address(), [&](Exchange&, ForwardPlan& plan) {
    plan.on_stream_bytes = [&](uint64_t count) { bytes += count; };
  });
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade);
  EXPECT_EQ(client.ReceiveUntil("\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const std::string large(1'000'000, 'x');
  std::thread sender([&] { client.Send(large); });
  std::string back;
  while (back.size() < large.size()) {
    const std::string piece = client.Receive();
    if (piece.empty()) break;
    back += piece;
  }
  sender.join();
  EXPECT_TRUE(back == large);
  client.Close();
  const ForwardResult result = proxy.WaitForResult();
  EXPECT_EQ(result.end, ForwardEnd::kAnswered);
  EXPECT_TRUE(result.stream);
  EXPECT_EQ(result.status, 101);
  EXPECT_EQ(bytes, 2'000'000u);
}

TEST(TunnelTest, EndpointSeesTheUpgradeRequest) {
  Recorder recorder("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade);
  EXPECT_EQ(ReadResponse(client).status, 403);
  EXPECT_EQ(recorder.last(),
            "GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  // Without a 101 it was an ordinary request: the connection goes on.
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(ReadResponse(client).status, 403);
}

TEST(TunnelTest, BytesSentEarlyAreHeldUntilThe101) {
  std::atomic<bool> accept{false};
  Origin origin([&](RawSocket& socket) {
    const std::string head = socket.ReceiveUntil("\r\n\r\n");
    EXPECT_THAT(head, EndsWith("\r\n\r\n"));
    EXPECT_EQ(socket.Receive(kSoon), "");
    accept = true;
    socket.Send(kSwitching);
    EXPECT_EQ(socket.ReceiveUntil("early"), "early");
    socket.Send("done");
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade + "early"s);
  // The head and what follows it may come together.
  EXPECT_THAT(client.ReceiveUntil("done"), EndsWith("\r\n\r\ndone"));
  EXPECT_TRUE(accept);
}

TEST(TunnelTest, EarlyBytesAreNotARequestWhenTheUpgradeIsRefused) {
  // They were sent as another protocol; as HTTP they are garbage, and answered as such.
  Recorder recorder(kOk);
  Origin origin(recorder.script());
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade + Frame("hi"));
  EXPECT_EQ(ReadResponse(client).status, 200);
  EXPECT_EQ(ReadResponse(client).status, 400);
  EXPECT_EQ(recorder.requests().size(), 1u);
}

TEST(TunnelTest, HalfCloseIsPassedOn) {
  Origin origin([](RawSocket& socket) {
    socket.ReceiveUntil("\r\n\r\n");
    socket.Send(kSwitching);
    std::string all;
    for (std::string piece = socket.Receive(); !piece.empty(); piece = socket.Receive())
      all += piece;
    socket.Send("got " + all);  // After the client's end.
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade);
  client.ReceiveUntil("\r\n\r\n");
  client.Send("hello");
  client.ShutdownWrite();
  EXPECT_EQ(client.ReceiveAll(), "got hello");
}

TEST(TunnelTest, SilentStreamEndsAfterItsIdleTimeout) {
  Origin origin(Echo);
  ProxyFixture proxy(origin.address(), [](Exchange&, ForwardPlan& plan) {
    plan.stream_idle_timeout = milliseconds(100);
  });
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade);
  client.ReceiveUntil("\r\n\r\n");
  EXPECT_TRUE(client.WaitForEof());
}

TEST(TunnelTest, DeadlineDoesNotBoundAStream) {
  Origin origin(Echo);
  ProxyFixture proxy(origin.address(), [](Exchange& exchange, ForwardPlan& plan) {
    plan.deadline = exchange.worker().Now() + milliseconds(100);
  });
  RawSocket client = proxy.Connect();
  client.Send(kUpgrade);
  client.ReceiveUntil("\r\n\r\n");
  EXPECT_EQ(client.Receive(milliseconds(300)), "");
  client.Send("still");
  EXPECT_EQ(client.ReceiveUntil("still"), "still");
}

TEST(TunnelTest, DrainSendsCloseFramesBetweenFrames) {
  std::promise<std::string> seen_by_agent;
  std::atomic<bool> half_sent{false};
  std::atomic<bool> go_on{false};
  Origin origin([&](RawSocket& socket) {
    socket.ReceiveUntil("\r\n\r\n");
    socket.Send(kSwitching + Frame("one") + Frame("twotwo").substr(0, 4));
    half_sent = true;
    WaitFor([&] { return go_on.load(); });
    socket.Send(Frame("twotwo").substr(4));
    seen_by_agent.set_value(socket.ReceiveAll());
  });
  {
    ProxyFixture proxy(origin.address());
    RawSocket client = proxy.Connect();
    client.Send(kUpgrade);
    EXPECT_THAT(client.ReceiveUntil("tw"), EndsWith(Frame("one") + Frame("twotwo").substr(0, 4)));
    ASSERT_TRUE(WaitFor([&] { return half_sent.load(); }));
    std::thread drain([&] {
      EXPECT_TRUE(proxy.fixture.server->Drain(Clock::now(), Clock::now() + milliseconds(3'000)));
    });
    EXPECT_EQ(client.Receive(kSoon), "");  // Not inside a frame.
    go_on = true;
    EXPECT_EQ(client.ReceiveAll(), Frame("twotwo").substr(4) + "\x88\x02\x03\xe9");
    client.Close();
    drain.join();
  }
  std::future<std::string> seen = seen_by_agent.get_future();
  ASSERT_EQ(seen.wait_for(testing::kPatience), std::future_status::ready);
  EXPECT_EQ(seen.get(), "\x88\x82\x00\x00\x00\x00\x03\xe9"s);
}

TEST(TunnelTest, DrainEndsAnEventStreamBetweenEvents) {
  std::atomic<bool> go_on{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    socket.Send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\na\r\ndata: one\n\r\n");
    WaitFor([&] { return go_on.load(); });
    socket.Send("1\r\n\n\r\n");
    socket.WaitForEof();
  });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.ReceiveUntil("data: one\n\r\n");
  std::thread drain([&] {
    EXPECT_TRUE(proxy.fixture.server->Drain(Clock::now(), Clock::now() + milliseconds(3'000)));
  });
  EXPECT_EQ(client.Receive(kSoon), "");
  go_on = true;
  EXPECT_EQ(client.ReceiveAll(), "1\r\n\n\r\n0\r\n\r\n");
  drain.join();
  EXPECT_EQ(proxy.WaitForResult().end, ForwardEnd::kAnswered);
}

TEST(TunnelTest, DrainLetsRequestsInFlightFinish) {
  std::atomic<bool> go_on{false};
  Origin origin([&](RawSocket& socket) {
    ReadRequest(socket);
    WaitFor([&] { return go_on.load(); });
    socket.Send(kOk);
  });
  ProxyFixture proxy(origin.address());
  RawSocket idle = proxy.Connect();
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(WaitFor([&] { return origin.connections() == 1; }));
  std::thread drain([&] {
    EXPECT_TRUE(proxy.fixture.server->Drain(Clock::now() + milliseconds(4'000),
                                            Clock::now() + milliseconds(5'000)));
  });
  EXPECT_TRUE(idle.WaitForEof());
  go_on = true;
  const testing::RawResponse response = ReadResponse(client);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("connection"), "close");
  EXPECT_TRUE(client.WaitForEof());
  drain.join();
}

TEST(TunnelTest, HardEndOfADrainEndsEverything) {
  Origin origin([&](RawSocket& socket) { socket.WaitForEof(); });
  ProxyFixture proxy(origin.address());
  RawSocket client = proxy.Connect();
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(WaitFor([&] { return origin.connections() == 1; }));
  EXPECT_FALSE(proxy.fixture.server->Drain(Clock::now(), Clock::now() + milliseconds(50)));
  EXPECT_TRUE(client.WaitForEof());
}

TEST(FrameTrackerTest, KnowsWhereFramesEnd) {
  const std::string frames[] = {
      Frame(""),
      Frame("x"),
      "\x82\x7e\x01\x00"s + std::string(256, 'y'),
      "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'z'),
      "\x81\x83keys"s + "abc",
      "\x81\x80keys"s,
  };
  for (const std::string& frame : frames) {
    FrameTracker tracker;
    for (size_t i = 0; i < frame.size(); ++i) {
      tracker.Track(frame.substr(i, 1));
      EXPECT_EQ(tracker.at_boundary(), i + 1 == frame.size()) << i;
    }
    FrameTracker whole;
    whole.Track(frame + frame);
    EXPECT_TRUE(whole.at_boundary());
  }
}

}  // namespace
}  // namespace krypton::http::testing
