#include "manager/platform/local/port_picker.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::platform {
namespace {

// A range of this process's own, so that no other test takes from it.
PortPicker::Settings Range(int count) {
  const int first = 12'000 + static_cast<int>(getpid()) % 600 * 10;
  return {first, first + count - 1};
}

TEST(PortPickerTest, NoPortIsGivenTwiceWhileItIsHeld) {
  PortPicker one(Range(4)), other(Range(4));
  std::vector<PortPicker::Port> held;
  std::set<int> numbers;
  for (int i = 0; i < 4; ++i) {
    auto port = (i % 2 == 0 ? one : other).Pick();
    ASSERT_TRUE(port.ok()) << port.status();
    numbers.insert(port->number);
    held.push_back(*std::move(port));
  }
  EXPECT_EQ(numbers.size(), 4u);
  EXPECT_EQ(one.Pick().status().code(), absl::StatusCode::kResourceExhausted);
  held.erase(held.begin());
  EXPECT_TRUE(other.Pick().ok());
}

TEST(PortPickerTest, APortThatSomebodyListensOnIsNotGiven) {
  PortPicker picker(Range(1));
  const int number = Range(1).first;
  for (const uint32_t address : {INADDR_LOOPBACK, INADDR_ANY}) {
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in local = {};
    local.sin_family = AF_INET;
    local.sin_port = htons(static_cast<uint16_t>(number));
    local.sin_addr.s_addr = htonl(address);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&local), sizeof local), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    EXPECT_FALSE(picker.Pick().ok());
  }
  EXPECT_EQ(picker.Pick()->number, number);
}

}  // namespace
}  // namespace krypton::platform
