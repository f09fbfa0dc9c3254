#include "proxy/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/http/server.h"
#include "common/http/workers.h"
#include "common/testing/wait_for.h"
#include "proxy/testing/raw_socket.h"

namespace krypton::proxy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawListener;
using testing::RawSocket;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kGetStream =
    "GET /events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
constexpr std::string_view kEventStream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

std::string Answer(std::string_view body, std::string_view more = "") {
  return absl::StrCat("HTTP/1.1 200 OK\r\n", std::string(more), "Content-Length: ", body.size(),
                      "\r\n\r\n", std::string(body));
}

// A sidecar without its binary, in front of an agent whose bytes the test writes itself.
class TrafficTest : public ::testing::Test {
 protected:
  void Start(int concurrency, int max_streams = 4,
             std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    limiter_ = std::make_unique<Limiter>(
        Limiter::Settings{.concurrency = concurrency, .max_streams = max_streams});
    metrics_ = std::make_unique<Metrics>(*registry_, Metrics::Labels{"echo", "default"});
    workers_ = std::make_unique<http::Workers>(1);
    workers_->Start();
    client_ = std::make_unique<http::Client>(*workers_);
    traffic_ = std::make_unique<Traffic>(*client_, *http::Endpoint::Parse(agent_.address()),
                                         Traffic::Settings{.timeout = timeout}, *limiter_, replica_,
                                         *metrics_, [this] { ++suspicions_; });
    http::ServerSettings settings;
    settings.on_end = [this](const http::Exchange& exchange) {
      metrics_->CountRequest(exchange.status());
    };
    server_ = std::make_unique<http::Server>(
        *workers_, std::move(settings),
        [this](http::Exchange& exchange) { return traffic_->Handle(exchange); });
    address_ = *server_->Start();
  }

  void TearDown() override {
    if (server_ == nullptr) return;
    server_->Stop();
    workers_->Stop();
  }

  RawSocket Call(std::string_view request) {
    RawSocket caller = RawSocket::Connect(address_);
    caller.Send(request);
    return caller;
  }

  // The value of one series of /metrics.
  double Series(const std::string& name, const std::string& label_value) {
    for (const auto& family : registry_->Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        for (const auto& label : metric.label) {
          if (label.value == label_value) return metric.counter.value;
        }
      }
    }
    return -1;
  }

  RawListener agent_;
  std::shared_ptr<metrics::Registry> registry_ = std::make_shared<metrics::Registry>("proxy");
  Replica replica_;
  std::atomic<int> suspicions_ = 0;
  std::unique_ptr<Limiter> limiter_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<http::Workers> workers_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<http::Server> server_;
  std::string address_;
};

TEST_F(TrafficTest, PassesTheRequestUntouchedButForKryptonWait) {
  Start(1);
  RawSocket caller = Call(
      "POST /a%2Fb//../c?d=%20 HTTP/1.1\r\nHost: Some.Host:81\r\nX-Odd: a,  b\r\n"
      "Via: 1.1 krypton\r\nX-Forwarded-For: 1.2.3.4\r\nKrypton-Wait: 5\r\n"
      "Content-Length: 4\r\n\r\nbody");
  RawSocket agent = agent_.Accept();
  const std::string seen = agent.ReadAnswer();
  EXPECT_THAT(seen, StartsWith("POST /a%2Fb//../c?d=%20 HTTP/1.1\r\n"));
  EXPECT_THAT(seen, AllOf(HasSubstr("Host: Some.Host:81\r\n"), HasSubstr("X-Odd: a,  b\r\n"),
                          HasSubstr("Via: 1.1 krypton\r\n"),
                          HasSubstr("X-Forwarded-For: 1.2.3.4\r\n"), Not(HasSubstr("-Wait"))));
  EXPECT_THAT(seen, ::testing::EndsWith("\r\n\r\nbody"));
  agent.Send(Answer("hello", "X-Answer: 1\r\nKrypton-Load: a lie\r\n"));
  const std::string answer = caller.ReadAnswer();
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("X-Answer: 1\r\n"),
                            HasSubstr("krypton-load: inflight=1, concurrency=1, parked=0\r\n"),
                            Not(HasSubstr("a lie"))));
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().in_flight == 0; }));
  EXPECT_EQ(Series("krypton_proxy_requests_total", "200"), 1);
}

TEST_F(TrafficTest, AnAgentCannotSpeakForTheMesh) {
  Start(1);
  RawSocket caller = Call(kGet);
  RawSocket agent = agent_.Accept();
  agent.Send("HTTP/1.1 503 Busy\r\nKrypton-Error: over_capacity\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(caller.ReadAnswer(),
              AllOf(StartsWith("HTTP/1.1 503 Busy"), Not(HasSubstr("over_capacity"))));
}

TEST_F(TrafficTest, WhoDoesNotAskToWaitIsRefusedAtOnce) {
  Start(1);
  RawSocket first = Call(kGet);
  RawSocket agent = agent_.Accept();
  EXPECT_THAT(Call(kGet).ReadAnswer(),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("krypton-error: over_capacity\r\n"),
                    HasSubstr("etry-"), HasSubstr("krypton-load: inflight=1, concurrency=1")));
  EXPECT_EQ(Series("krypton_proxy_rejected_total", "over_capacity"), 1);
  EXPECT_EQ(Series("krypton_proxy_rejected_total", "shutting_down"), 0);
  agent.Send(Answer(""));
  EXPECT_THAT(first.ReadAnswer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(TrafficTest, WhoAsksToWaitGetsTheNextSlot) {
  Start(1);
  RawSocket first = Call(kGet);
  RawSocket agent = agent_.Accept();
  agent.ReadUntil("\r\n\r\n");
  RawSocket second = Call("GET /2 HTTP/1.1\r\nHost: x\r\nkrypton-wait: 9000\r\n\r\n");
  ASSERT_TRUE(WaitFor([&] { return limiter_->load().parked == 1; }));
  EXPECT_THAT(Call("GET /3 HTTP/1.1\r\nHost: x\r\nkrypton-wait: 9000\r\n\r\n").ReadAnswer(),
              HasSubstr("over_capacity"))
      << "more are parked than there are slots";
  agent.Send(Answer("1"));
  EXPECT_THAT(first.ReadAnswer(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(agent.ReadUntil("\r\n\r\n"), StartsWith("GET /2 "));
  agent.Send(Answer("2"));
  EXPECT_THAT(second.ReadAnswer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(TrafficTest, WhoWaitsInVainIsRefusedAndLeavesItsPlace) {
  Start(1);
  RawSocket first = Call(kGet);
  RawSocket agent = agent_.Accept();
  EXPECT_THAT(Call("GET / HTTP/1.1\r\nHost: x\r\nkrypton-wait: 20\r\n\r\n").ReadAnswer(),
              HasSubstr("krypton-error: over_capacity"));
  EXPECT_EQ(limiter_->load().parked, 0);
}

TEST_F(TrafficTest, ACallerThatGoesFreesItsSlotAndThePlaceOfOneThatWaits) {
  Start(1);
  RawSocket first = Call(kGet);
  RawSocket agent = agent_.Accept();
  agent.ReadUntil("\r\n\r\n");
  RawSocket waiting = Call("GET / HTTP/1.1\r\nHost: x\r\nkrypton-wait: 9000\r\n\r\n");
  ASSERT_TRUE(WaitFor([&] { return limiter_->load().parked == 1; }));
  waiting.Close();
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().parked == 0; }));
  first.Close();
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().in_flight == 0; }));
  EXPECT_TRUE(agent.Ended());
}

TEST_F(TrafficTest, AnEventStreamGivesItsSlotBack) {
  Start(1);
  RawSocket stream = Call(kGetStream);
  RawSocket agent = agent_.Accept();
  agent.ReadUntil("\r\n\r\n");
  agent.Send(kEventStream);
  EXPECT_THAT(stream.ReadUntil("\r\n\r\n"), HasSubstr("text/event-stream"));
  EXPECT_EQ(limiter_->load().in_flight, 0);
  EXPECT_EQ(limiter_->load().streams, 1);

  RawSocket request = Call(kGet);
  RawSocket second = agent_.Accept();
  second.Send(Answer("through"));
  EXPECT_THAT(request.ReadAnswer(), HasSubstr("through"));

  const auto before = replica_.last_activity();
  agent.Send("a\r\ndata: x\n\n\r\n");
  EXPECT_THAT(stream.ReadUntil("data: x\n\n"), HasSubstr("data: x"));
  EXPECT_TRUE(WaitFor([&] { return replica_.last_activity() > before; }));
  stream.Close();
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().streams == 0; }));
}

TEST_F(TrafficTest, AnEventStreamThatAnswersAPostHoldsItsSlot) {
  Start(1);
  RawSocket caller = Call("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  RawSocket agent = agent_.Accept();
  agent.Send(kEventStream);
  caller.ReadUntil("\r\n\r\n");
  EXPECT_EQ(limiter_->load().in_flight, 1);
  EXPECT_EQ(limiter_->load().streams, 0);
}

TEST_F(TrafficTest, AnUpgradedConnectionIsAStreamOnceTheAgentAgrees) {
  Start(1);
  RawSocket caller = Call(kUpgrade);
  RawSocket agent = agent_.Accept();
  EXPECT_THAT(agent.ReadUntil("\r\n\r\n"), HasSubstr("Upgrade: websocket\r\n"));
  EXPECT_EQ(limiter_->load().in_flight, 1);
  agent.Send(kSwitched);
  EXPECT_THAT(caller.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 101"));
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().streams == 1; }));
  EXPECT_EQ(limiter_->load().in_flight, 0);
  caller.Send("ping");
  EXPECT_EQ(agent.ReadUntil("ping"), "ping");
  agent.Send("pong");
  EXPECT_EQ(caller.ReadUntil("pong"), "pong");
}

TEST_F(TrafficTest, StreamsAreBoundedApart) {
  Start(1, /*max_streams=*/1);
  RawSocket stream = Call(kGetStream);
  RawSocket agent = agent_.Accept();
  agent.Send(kEventStream);
  stream.ReadUntil("\r\n\r\n");
  EXPECT_THAT(Call(kUpgrade).ReadAnswer(), HasSubstr("krypton-error: over_capacity"));
  // One that did not look like a stream before the answer.
  RawSocket surprise = Call(kGet);
  RawSocket second = agent_.Accept();
  second.Send(kEventStream);
  EXPECT_THAT(surprise.ReadAnswer(), HasSubstr("krypton-error: over_capacity"));
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().in_flight == 0; }));
}

TEST_F(TrafficTest, AnAgentThatDoesNotAnswerInTimeIsATimeout) {
  Start(1, 1, std::chrono::milliseconds(50));
  RawSocket caller = Call(kGet);
  RawSocket agent = agent_.Accept();
  EXPECT_THAT(caller.ReadAnswer(),
              AllOf(StartsWith("HTTP/1.1 504"), HasSubstr("krypton-error: agent_timeout")));
  EXPECT_TRUE(WaitFor([&] { return limiter_->load().in_flight == 0; }));
}

TEST_F(TrafficTest, AnAgentThatIsNotThereSawNothingSoTheGatewayMayTryElsewhere) {
  agent_.Close();
  Start(1);
  EXPECT_THAT(Call(kGet).ReadAnswer(), HasSubstr("krypton-error: over_capacity"));
  EXPECT_EQ(suspicions_, 1);
}

TEST_F(TrafficTest, AnAgentThatBreaksOffBeforeAnAnswerIsUnreachable) {
  Start(1);
  RawSocket caller = Call("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  agent_.Accept().ReadUntil("\r\n\r\n");
  EXPECT_THAT(caller.ReadAnswer(),
              AllOf(StartsWith("HTTP/1.1 502"), HasSubstr("krypton-error: agent_unreachable")));
}

TEST_F(TrafficTest, WhileDrainingRequestsAreRefusedAndThoseInFlightFinish) {
  Start(1);
  RawSocket first = Call(kGet);
  RawSocket agent = agent_.Accept();
  RawSocket parked = Call("GET / HTTP/1.1\r\nHost: x\r\nkrypton-wait: 9000\r\n\r\n");
  ASSERT_TRUE(WaitFor([&] { return limiter_->load().parked == 1; }));
  limiter_->Close();
  EXPECT_THAT(parked.ReadAnswer(), HasSubstr("krypton-error: shutting_down"));
  EXPECT_THAT(Call(kGet).ReadAnswer(),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("krypton-error: shutting_down")));
  agent.Send(Answer("the last"));
  EXPECT_THAT(first.ReadAnswer(), HasSubstr("the last"));
  EXPECT_EQ(Series("krypton_proxy_rejected_total", "shutting_down"), 2);
}

TEST(ParseWaitTest, TakesMillisecondsAndNothingElse) {
  EXPECT_EQ(ParseWait("250"), std::chrono::milliseconds(250));
  EXPECT_EQ(ParseWait("0"), std::chrono::milliseconds(0));
  for (const char* wrong : {"", " ", "-1", "+1", "1.5", "1s", "99999999999", "0x10", "1 2"}) {
    EXPECT_EQ(ParseWait(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace krypton::proxy
