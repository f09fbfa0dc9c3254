#include "proxy/prober.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "common/http/workers.h"
#include "common/testing/wait_for.h"
#include "proxy/testing/raw_socket.h"

namespace krypton::proxy {
namespace {

using testing::RawListener;
using testing::RawSocket;

class ProberTest : public ::testing::Test {
 protected:
  void Start(const std::string& agent, Prober::Settings settings) {
    workers_ = std::make_unique<http::Workers>(1);
    workers_->Start();
    client_ =
        std::make_unique<http::Client>(*workers_, http::ClientSettings{.max_idle_per_endpoint = 0});
    prober_ = std::make_unique<Prober>((*workers_)[0], *client_, *http::Endpoint::Parse(agent),
                                       settings, [this](bool ready) {
                                         ready_ = ready;
                                         ++changes_;
                                       });
    prober_->Start();
  }
  void TearDown() override {
    if (prober_ == nullptr) return;
    prober_->Stop();
    workers_->Stop();
  }

  std::atomic<bool> ready_ = false;
  std::atomic<int> changes_ = 0;
  std::unique_ptr<http::Workers> workers_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Prober> prober_;
};

TEST_F(ProberTest, TheAgentIsReadyOnceItsPortOpensAndNotAnyMoreWhenItCloses) {
  auto port = std::make_unique<RawListener>();
  const std::uint16_t number = port->port();
  const std::string address = port->address();
  port.reset();
  Start(address, {.watch_interval = std::chrono::milliseconds(20)});
  EXPECT_FALSE(ready_);
  port = std::make_unique<RawListener>(number);
  EXPECT_TRUE(WaitFor([&] { return ready_.load(); }));
  port.reset();
  EXPECT_TRUE(WaitFor([&] { return !ready_; }));
  port = std::make_unique<RawListener>(number);
  EXPECT_TRUE(WaitFor([&] { return ready_.load(); }));
  EXPECT_EQ(changes_, 3);
}

TEST_F(ProberTest, ASuspicionIsLookedIntoAtOnce) {
  auto port = std::make_unique<RawListener>();
  Start(port->address(), {.watch_interval = std::chrono::hours(1)});
  ASSERT_TRUE(WaitFor([&] { return ready_.load(); }));
  port.reset();
  prober_->Suspect();
  EXPECT_TRUE(WaitFor([&] { return !ready_; }));
}

TEST_F(ProberTest, AReadyPathHasToBeAnsweredBy2xx) {
  RawListener port;
  Start(port.address(), {.ready_path = "/health"});
  RawSocket first = port.Accept();
  EXPECT_EQ(first.ReadUntil("\r\n").substr(0, 12), "GET /health ");
  first.Send("HTTP/1.1 503 Loading\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  first.Close();
  RawSocket second = port.Accept();
  EXPECT_FALSE(ready_);
  second.ReadUntil("\r\n\r\n");
  second.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(WaitFor([&] { return ready_.load(); }));
}

}  // namespace
}  // namespace krypton::proxy
