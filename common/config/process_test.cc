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

TEST(ProcessTest, ASecondSignalEndsAtOnce) {
  EXPECT_EQ(StatusOfChild([] {
              Process process;
              return process.Run(
                  [] {
                    raise(SIGTERM);
                    return absl::OkStatus();
                  },
                  [] {
                    raise(SIGTERM);
                    return absl::OkStatus();
                  });
            }),
            1);
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
