#include "manager/platform/kubernetes/confirmer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

using Silence = Confirmer::Silence;

class Socket {
 public:
  explicit Socket(int flags = 0) : fd_(socket(AF_INET, SOCK_STREAM | flags, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  ~Socket() { Close(); }

  // Returns the port.
  int Listen(int backlog) {
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(listen(fd_, backlog), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size);
    return ntohs(address_.sin_port);
  }
  // Whether the connection is taken within a while.
  bool Connect(int port) {
    address_.sin_port = htons(static_cast<uint16_t>(port));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0) return true;
    pollfd waiting{fd_, POLLOUT, 0};
    return poll(&waiting, 1, 200) == 1;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  sockaddr_in address_{};
};

// All that was asked before has its answer.
void Settle(Confirmer& confirmer) {
  std::atomic<bool> asked = false;
  confirmer.Ask("127.0.0.2", 1, Silence::kUnknown, [&] { asked = true; });
  EXPECT_TRUE(WaitFor([&] { return asked.load(); }));
}

TEST(ConfirmerTest, OnlyWhoRefusesTheConnectionIsDead) {
  Socket listener;
  const int port = listener.Listen(4);
  Confirmer confirmer;
  std::atomic<bool> dead = false;
  confirmer.Ask("127.0.0.1", port, Silence::kDead, [&] { dead = true; });
  confirmer.Ask("no address", port, Silence::kDead, [&] { dead = true; });
  Settle(confirmer);
  Settle(confirmer);  // The first may have been asked together with the others.
  EXPECT_FALSE(dead);
  listener.Close();
  confirmer.Ask("127.0.0.1", port, Silence::kUnknown, [&] { dead = true; });
  EXPECT_TRUE(WaitFor([&] { return dead.load(); }));
}

// A listener whose queue is full lets who connects wait.
TEST(ConfirmerTest, WhoDoesNotAnswerIsDeadOnlyWhereOthersDoNotHearOfItEither) {
  Socket full;
  const int port = full.Listen(0);
  std::vector<std::unique_ptr<Socket>> callers;
  do {
    ASSERT_LT(callers.size(), 20u);
    callers.push_back(std::make_unique<Socket>(SOCK_NONBLOCK));
  } while (callers.back()->Connect(port));
  Confirmer confirmer;
  std::atomic<int> dead = 0;
  std::atomic<bool> unknown = false;
  confirmer.Ask("127.0.0.1", port, Silence::kUnknown, [&] { unknown = true; });
  for (int i = 0; i < 300; ++i) {
    confirmer.Ask("127.0.0.1", port, Silence::kDead, [&] { ++dead; });
  }
  // Those that wait are asked at once: a second for each would be five minutes.
  EXPECT_TRUE(WaitFor([&] { return dead == 300; }));
  EXPECT_FALSE(unknown);
}

}  // namespace
}  // namespace krypton::kube
