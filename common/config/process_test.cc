#include "common/config/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace krypton::config {
namespace {

absl::Status Fine() { return absl::OkStatus(); }

// Runs `body` in a child process; its exit status, or 128 + signal.
int StatusOfChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(ProcessTest, SigtermAndSigintEndInOrder) {
  for (const int signal : {SIGTERM, SIGINT}) {
    EXPECT_EQ(StatusOfChild([signal] {
                Process process;
                bool stopped = false;
                const int status = process.Run(
                    [signal] {
                      raise(signal);
                      return absl::OkStatus();
                    },
                    [&] {
                      stopped = true;
                      return absl::OkStatus();
                    });
                return stopped ? status : 9;
              }),
              0);
  }
}

enum class Sender { kParent, kSibling };

void Send(Sender sender, pid_t to) {
  if (sender == Sender::kParent) {
    ASSERT_EQ(kill(to, SIGTERM), 0);
    return;
  }
  EXPECT_EQ(StatusOfChild([to] { return kill(to, SIGTERM); }), 0);
}

// The exit status of a process that gets one signal while it runs and another while it ends.
int StatusOfTwoSignals(Sender first, Sender second) {
  int from_child[2];
  int to_child[2];
  EXPECT_EQ(pipe(from_child) + pipe(to_child), 0);
  char byte = 0;
  const pid_t child = fork();
  if (child == 0) {
    Process process;
    const auto say = [&] {
      if (write(from_child[1], &byte, 1) != 1) _exit(9);
      return absl::OkStatus();
    };
    _exit(process.Run(say, [&] {
      (void)say();
      // A signal that was sent before the byte comes before it.
      if (read(to_child[0], &byte, 1) != 1) _exit(9);
      return absl::OkStatus();
    }));
  }
  close(from_child[1]);  // So that a child that is gone is the end of what can be read.
  for (const Sender sender : {first, second}) {
    EXPECT_EQ(read(from_child[0], &byte, 1), 1);
    Send(sender, child);
  }
  EXPECT_EQ(write(to_child[1], &byte, 1), 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  for (const int fd : {from_child[0], to_child[0], to_child[1]}) close(fd);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(ProcessTest, ASecondSignalEndsAtOnce) {
  EXPECT_EQ(StatusOfTwoSignals(Sender::kParent, Sender::kParent), 1);
  EXPECT_EQ(StatusOfTwoSignals(Sender::kSibling, Sender::kSibling), 1);
}

TEST(ProcessTest, WhatTheParentPassesOnIsNoSecondSignal) {
  EXPECT_EQ(StatusOfTwoSignals(Sender::kSibling, Sender::kParent), 0);
  EXPECT_EQ(StatusOfTwoSignals(Sender::kParent, Sender::kSibling), 0);
}

TEST(ProcessTest, SigpipeAndSighupAreIgnored) {
  EXPECT_EQ(StatusOfChild([] {
              Process process;
              return process.Run(
                  [&] {
                    raise(SIGPIPE);
                    raise(SIGHUP);
                    process.RequestStop();
                    return absl::OkStatus();
                  },
                  Fine);
            }),
            0);
}

TEST(ProcessTest, AWrongConfigurationIsTwoAndAFailureIsOne) {
  EXPECT_EQ(StatusOfChild([] {
              return Process().Run([] { return absl::InvalidArgumentError("flag"); }, Fine);
            }),
            2);
  EXPECT_EQ(StatusOfChild([] {
              return Process().Run([] { return absl::UnavailableError("port taken"); }, Fine);
            }),
            1);
  EXPECT_EQ(StatusOfChild([] {
              Process process;
              return process.Run(
                  [&] {
                    process.RequestStop(absl::InternalError("lost"));
                    return absl::OkStatus();
                  },
                  Fine);
            }),
            1);
}

TEST(ProcessTest, AnotherThreadCanRequestTheEnd) {
  Process process;
  std::thread other([&] { process.RequestStop(); });
  process.WaitForStop();
  other.join();
}

}  // namespace
}  // namespace krypton::config
