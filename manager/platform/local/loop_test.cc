#include "manager/platform/local/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace krypton::platform {
namespace {

using std::chrono::milliseconds;

TEST(LoopTest, PostsRunInOrderFromAnyThread) {
  Loop loop;
  std::vector<int> order;
  loop.Post([&] { order.push_back(1); });
  std::thread other([&] {
    loop.Post([&] {
      order.push_back(2);
      loop.Post([&] { order.push_back(3); });
      loop.Post([&] { loop.Stop(); });
    });
  });
  loop.Run();
  other.join();
  EXPECT_THAT(order, testing::ElementsAre(1, 2, 3));
}

TEST(LoopTest, TimersRunInOrderAndCanBeCancelled) {
  Loop loop;
  std::string order;
  Loop::TimerId never = 0;
  loop.After(milliseconds(20), [&] {
    order += 'c';
    loop.Stop();
  });
  loop.After(milliseconds(5), [&] {
    order += 'b';
    loop.Cancel(never);
    loop.Cancel(12345);
  });
  never = loop.After(milliseconds(10), [&] { order += 'x'; });
  loop.After(milliseconds(0), [&] { order += 'a'; });
  const auto begin = Loop::Clock::now();
  loop.Run();
  EXPECT_EQ(order, "abc");
  EXPECT_GE(Loop::Clock::now() - begin, milliseconds(20));
}

TEST(LoopTest, ACallbackMayUnwatchItselfAndOthers) {
  Loop loop;
  int a[2], b[2];
  ASSERT_EQ(pipe2(a, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(b, O_CLOEXEC), 0);
  int calls = 0;
  const auto callback = [&] {
    ++calls;
    loop.Unwatch(a[0]);
    loop.Unwatch(b[0]);
    loop.After(milliseconds(5), [&] { loop.Stop(); });
  };
  loop.Watch(a[0], callback);
  loop.Watch(b[0], callback);
  ASSERT_EQ(write(a[1], "x", 1), 1);
  ASSERT_EQ(write(b[1], "x", 1), 1);
  loop.Run();
  EXPECT_EQ(calls, 1);
  for (const int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

}  // namespace
}  // namespace krypton::platform
