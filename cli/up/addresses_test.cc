#include "cli/up/addresses.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

namespace krypton::cli {
namespace {

std::set<std::string> AllOf(const MeshAddresses& mesh) {
  std::set<std::string> all;
  for (const ComponentAddresses* component : mesh.all()) {
    for (const auto& address : {component->http, component->grpc, component->ops}) {
      if (!address.empty()) all.insert(address);
    }
  }
  return all;
}

TEST(MeshAddressesTest, FreePortsAreAllDifferent) {
  const auto mesh = ChooseAddresses("127.0.0.1", 0);
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_EQ(AllOf(*mesh).size(), 8u);
  EXPECT_EQ(mesh->manager.http, "");
}

TEST(MeshAddressesTest, ATakenPortSaysWhichOfWhatAndWhatToDo) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int port = ntohs(address.sin_port);
  const std::string message(ChooseAddresses("127.0.0.1", port).status().message());
  EXPECT_NE(message.find("127.0.0.1:" + std::to_string(port)), std::string::npos) << message;
  EXPECT_NE(message.find("the gateway (HTTP)"), std::string::npos) << message;
  EXPECT_NE(message.find("--port-base"), std::string::npos) << message;
  close(fd);
}

TEST(MeshAddressesTest, ABaseWithoutRoomIsAWrongFlag) {
  EXPECT_TRUE(absl::IsInvalidArgument(ChooseAddresses("127.0.0.1", 65'530).status()));
}

TEST(MeshAddressesTest, AHostThatIsNoneIsAWrongFlag) {
  EXPECT_TRUE(absl::IsInvalidArgument(ChooseAddresses("no such host", 0).status()));
}

}  // namespace
}  // namespace krypton::cli
