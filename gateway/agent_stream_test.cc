// Answers of events, which outlive their handler: what they hold while they pass, and what is
// counted at their end.
#include <gtest/gtest.h>

#include <atomic>

#include "common/http/testing.h"
#include "common/testing/wait_for.h"
#include "gateway/testing/mesh.h"

namespace krypton::gateway {
namespace {

using http::testing::RawSocket;
using testing::Mesh;
using testing::Replica;

constexpr char kInvocations[] = "krypton_invocations_total";
constexpr char kDurations[] = "krypton_invocation_duration_seconds";

// One event at once, and the end when it is told to, or its reader goes.
struct EventSource {
  std::atomic<bool> finish{false};
  std::atomic<int> gone{0};

  http::Task<void> Handle(http::Exchange& exchange) {
    const http::Field fields[] = {{"content-type", "text/event-stream"}};
    co_await exchange.Start(200, fields);
    co_await exchange.Write("data: 1\n\n");
    http::Event never(exchange.worker());
    while (!finish) {
      const auto result =
          co_await exchange.WaitFor(never, http::Clock::now() + http::milliseconds(10));
      if (result == http::WaitResult::kCancelled) {
        ++gone;
        co_return;
      }
    }
    co_await exchange.Finish();
  }
  http::Handler handler() {
    return [this](http::Exchange& exchange) { return Handle(exchange); };
  }
};

// A mesh with the agent default/echo, and a client that has seen the first event.
struct OpenStream {
  explicit OpenStream(const std::string& method) {
    mesh.Register({&mesh.AddReplica(source.handler())}, /*concurrency=*/1);
    client = RawSocket::Connect(mesh.address());
    client.Send(method + " /v1/agents/default/echo/events HTTP/1.1\r\nHost: a\r\n" +
                (method == "POST" ? "Content-Length: 0\r\n\r\n" : "\r\n"));
    EXPECT_NE(client.ReceiveUntil("data: 1\n\n").find(" 200 OK"), std::string::npos);
  }

  EventSource source;
  Mesh mesh;
  RawSocket client;
};

TEST(AgentStreamTest, AStandingStreamHoldsNoSlotAndIsCountedAtItsEnd) {
  OpenStream stream("GET");
  EXPECT_EQ(stream.mesh.totals().streams, 1);
  EXPECT_EQ(stream.mesh.totals().in_flight, 0);
  EXPECT_EQ(stream.mesh.Metric(kInvocations, "echo"), 0);
  stream.source.finish = true;
  EXPECT_NE(stream.client.ReceiveUntil("0\r\n\r\n"), "");
  EXPECT_TRUE(WaitFor([&] { return stream.mesh.totals().streams == 0; }));
  EXPECT_TRUE(WaitFor([&] { return stream.mesh.Metric(kInvocations, "echo") == 1; }));
  EXPECT_EQ(stream.mesh.Metric(kDurations, "echo"), 0);
}

TEST(AgentStreamTest, AnAnswerToPostHoldsItsSlotToItsEndAndIsTimed) {
  OpenStream stream("POST");
  EXPECT_EQ(stream.mesh.totals().streams, 0);
  EXPECT_EQ(stream.mesh.totals().in_flight, 1);
  EXPECT_EQ(stream.mesh.Metric(kInvocations, "echo"), 0);
  stream.source.finish = true;
  EXPECT_TRUE(WaitFor([&] { return stream.mesh.totals().in_flight == 0; }));
  EXPECT_TRUE(WaitFor([&] { return stream.mesh.Metric(kInvocations, "echo") == 1; }));
  EXPECT_EQ(stream.mesh.Metric(kDurations, "echo"), 1);
}

TEST(AgentStreamTest, AClientThatLeavesFreesItAtTheReplica) {
  for (const char* method : {"GET", "POST"}) {
    OpenStream stream(method);
    stream.client.Close();
    EXPECT_TRUE(WaitFor([&] { return stream.source.gone == 1; })) << method;
    EXPECT_TRUE(WaitFor([&] {
      const Dispatcher::Totals totals = stream.mesh.totals();
      return totals.streams == 0 && totals.in_flight == 0;
    })) << method;
    EXPECT_TRUE(WaitFor([&] { return stream.mesh.Metric(kInvocations, "echo") == 1; }));
  }
}

TEST(AgentStreamTest, WhoWaitsGetsTheSlotOfAStreamThatEnds) {
  OpenStream stream("POST");
  std::future<httplib::Result> later = stream.mesh.GetLater();
  EXPECT_TRUE(WaitFor([&] { return stream.mesh.totals().waiting == 1; }));
  stream.source.finish = true;
  EXPECT_EQ(later.get()->status, 200);
}

}  // namespace
}  // namespace krypton::gateway
