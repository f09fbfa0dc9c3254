#include "cli/up/child.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

namespace krypton::cli {
namespace {

class ChildTest : public ::testing::Test {
 protected:
  ChildTest() : log_(testing::TempDir() + "child." + std::to_string(getpid()) + ".log") {}
  ~ChildTest() override { unlink(log_.c_str()); }
  // Waits until it has ended.
  static void Wait(Child& child) {
    pollfd waited = {child.pidfd(), POLLIN, 0};
    ASSERT_EQ(poll(&waited, 1, 20'000), 1);
    EXPECT_FALSE(child.Running());
  }

  const std::string log_;
};

TEST_F(ChildTest, ItsOutputIsInItsLogAndItsStatusIsTold) {
  Child child("x", {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, log_);
  ASSERT_TRUE(child.Start().ok());
  Wait(child);
  EXPECT_EQ(child.exit_text(), "status 3");
  EXPECT_EQ(child.LogTail(1), "  err\n");
  EXPECT_EQ(child.LogTail(9), "  out\n  err\n");
}

TEST_F(ChildTest, ItCanBeStartedAgain) {
  Child child("x", {"/bin/sh", "-c", "echo run"}, log_);
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(child.Start().ok());
    Wait(child);
    EXPECT_EQ(child.exit_text(), "status 0");
  }
  EXPECT_EQ(child.LogTail(9), "  run\n  run\n");
}

TEST_F(ChildTest, ASignalReachesItAndIsTold) {
  Child child("x", {"/bin/sleep", "60"}, log_);
  ASSERT_TRUE(child.Start().ok());
  EXPECT_TRUE(child.Running());
  child.Signal(SIGTERM);
  Wait(child);
  EXPECT_EQ(child.exit_text(), "signal 15 (Terminated)");
  EXPECT_TRUE(child.EndedBy(SIGTERM));
  EXPECT_FALSE(child.EndedBy(SIGKILL));
}

// The test stands for `krypton up`, whose handler the child has until it has become its program.
TEST_F(ChildTest, ASignalAtOnceIsTheChildsOwn) {
  static std::atomic<int> ours = 0;
  struct sigaction handler = {};
  handler.sa_handler = [](int) { ++ours; };
  struct sigaction before = {};
  sigaction(SIGTERM, &handler, &before);
  for (int run = 0; run < 50; ++run) {
    Child child("x", {"/bin/sleep", "60"}, log_);
    ASSERT_TRUE(child.Start().ok());
    child.Signal(SIGTERM);
    Wait(child);
    EXPECT_TRUE(child.EndedBy(SIGTERM)) << child.exit_text();
  }
  sigaction(SIGTERM, &before, nullptr);
  EXPECT_EQ(ours, 0);
}

TEST_F(ChildTest, ABinaryThatIsNotThereEndsWith127) {
  Child child("x", {"/no/such/binary"}, log_);
  ASSERT_TRUE(child.Start().ok());
  Wait(child);
  EXPECT_EQ(child.exit_text(), "status 127");
}

TEST_F(ChildTest, ALogIsBounded) {
  Child child("x", {"/bin/true"}, log_);
  std::ofstream(log_) << std::string(17 << 20, 'x');
  child.BoundLog();
  EXPECT_EQ(std::ifstream(log_).peek(), std::ifstream::traits_type::eof());
  EXPECT_NE(std::ifstream(log_ + ".1").peek(), std::ifstream::traits_type::eof());
  unlink((log_ + ".1").c_str());
}

}  // namespace
}  // namespace krypton::cli
