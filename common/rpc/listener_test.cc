#include "common/rpc/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "common/config/descriptors.h"
#include "common/testing/file_limit.h"
#include "common/testing/wait_for.h"

namespace krypton::rpc {
namespace {

// A client's socket, which exists before it connects.
class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() { close(fd_); }

  bool Connect(uint16_t port) const {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  // Waits until the other side has closed.
  bool IsClosed() const {
    char byte;
    return recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  const int fd_;
};

int LowestFree() {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(fd);
  return fd;
}

std::unique_ptr<Listener> Open(const std::string& host) {
  auto listener = Listener::Open({host, 0});
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

TEST(ListenerTest, EachConnectionIsGivenAway) {
  for (const char* host : {"127.0.0.1", "localhost", ""}) {
    const auto listener = Open(host);
    std::atomic<int> taken = 0;
    listener->Start([&](int fd) {
      close(fd);
      ++taken;
    });
    Socket one;
    Socket two;
    EXPECT_TRUE(one.Connect(listener->port())) << host;
    EXPECT_TRUE(two.Connect(listener->port())) << host;
    EXPECT_TRUE(WaitFor([&] { return taken == 2; })) << host;
  }
}

TEST(ListenerTest, NobodyConnectsAfterStop) {
  const auto listener = Open("127.0.0.1");
  const uint16_t port = listener->port();
  listener->Start([](int fd) { close(fd); });
  listener->Stop();
  listener->Stop();
  EXPECT_FALSE(Socket().Connect(port));
}

TEST(ListenerTest, WithoutDescriptorsConnectionsWaitAndAreTakenWhenThereAreSomeAgain) {
  if (!kFilesMayRunOut) GTEST_SKIP() << "UBSan needs a descriptor";
  const auto listener = Open("127.0.0.1");
  std::atomic<int> taken = 0;
  Socket early;
  Socket late;
  {
    const FileLimit limit(LowestFree());
    listener->Start([&](int fd) {
      close(fd);
      ++taken;
    });
    ASSERT_TRUE(early.Connect(listener->port()));
    // The kernel has it; the listener tries several times.
    EXPECT_FALSE(WaitFor([&] { return taken > 0; }, std::chrono::milliseconds(100)));
  }
  EXPECT_TRUE(WaitFor([&] { return taken == 1; }));
  ASSERT_TRUE(late.Connect(listener->port()));
  EXPECT_TRUE(WaitFor([&] { return taken == 2; }));
}

TEST(ListenerTest, TheLastDescriptorsAreNotForConnections) {
  const auto listener = Open("127.0.0.1");
  std::atomic<int> taken = 0;
  listener->Start([&](int fd) {
    close(fd);
    ++taken;
  });
  Socket socket;
  std::vector<Socket> others(16);  // So that an eighth is two.
  const int free = LowestFree();
  const FileLimit limit(free + 2);
  ASSERT_TRUE(config::TakesReserve(free));
  ASSERT_TRUE(socket.Connect(listener->port()));
  EXPECT_TRUE(socket.IsClosed());
  EXPECT_EQ(taken, 0);
}

TEST(ListenerTest, AWrongHostIsNamed) {
  const auto listener = Listener::Open({"no-such-host.invalid", 7070});
  EXPECT_TRUE(absl::IsUnavailable(listener.status()));
  EXPECT_NE(std::string(listener.status().message()).find("no-such-host.invalid:7070"),
            std::string::npos)
      << listener.status();
}

}  // namespace
}  // namespace krypton::rpc
