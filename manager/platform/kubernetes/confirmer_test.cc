#include "manager/platform/kubernetes/confirmer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "manager/platform/kubernetes/client/testing/fake_api_server.h"

namespace krypton::kube {
namespace {

TEST(ConfirmerTest, OnlyWhoRefusesTheConnectionIsDead) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 4), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const int port = ntohs(address.sin_port);

  Confirmer confirmer;
  std::atomic<bool> dead = false;
  std::atomic<bool> asked = false;
  confirmer.Ask("127.0.0.1", port, [&] { dead = true; });
  confirmer.Ask("no address", port, [&] { dead = true; });
  confirmer.Ask("127.0.0.2", 1, [&] { asked = true; });  // After the two before it.
  EXPECT_TRUE(WaitFor([&] { return asked.load(); }));
  EXPECT_FALSE(dead);
  close(fd);
  confirmer.Ask("127.0.0.1", port, [&] { dead = true; });
  EXPECT_TRUE(WaitFor([&] { return dead.load(); }));
}

}  // namespace
}  // namespace krypton::kube
