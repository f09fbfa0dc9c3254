// A test's own corner of this machine: folders for manifests and state, a platform over them, and
// the certainty that no process is left at the end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "manager/platform/local/local_platform.h"
#include "manager/platform/local/testing/recorder.h"

namespace krypton::platform::testing {

// An agent of a few lines: answers every GET with its pid and $VERSION; `/slow` after a second,
// `/slow/30` after 30. `body` is Python that runs first.
std::string Serve(const std::string& body = "");

// Empty when it cannot be read.
std::string ReadAll(const std::string& path);

class Machine : public ::testing::Test {
 protected:
  Machine();
  // Fails the test if a process is left that any of its platforms started.
  ~Machine() override;

  // A platform over the folders; replaces one that was dropped. Waits until it is synced.
  void StartPlatform();
  // As if the manager had been killed: nothing is told to anybody.
  void DropPlatform();
  void StopPlatform();

  void WriteManifest(const std::string& file, const std::string& yaml);
  void RemoveManifest(const std::string& file);
  // A manifest of one agent that runs `command`; `spec`: more lines, each with its end.
  static std::string Agent(const std::string& name, const std::string& command,
                           const std::string& spec = "");

  bool Wait(const std::function<bool()>& condition) { return recorder_->Wait(condition); }
  void SetReplicas(const std::string& name, int desired);
  // Until exactly so many replicas run and nothing else is there; says for each that starts that
  // its sidecar answers, as a manager would.
  bool WaitRunning(const std::string& name, size_t count);
  // Asks the platform to look whether the replicas that start are ready.
  void ConfirmStarting(const std::string& name);
  // GET through the replica's sidecar; empty when that fails.
  std::string Call(const Replica& replica, const std::string& path = "/");
  // All that the agent has printed.
  std::string LogOf(const Replica& replica) const;
  // All processes that carry one of the instances, or stand for one of them.
  std::vector<int> Processes() const;
  static bool Alive(int pid);

  std::string folder_;
  LocalSettings settings_;
  std::unique_ptr<Recorder> recorder_ = std::make_unique<Recorder>();
  std::unique_ptr<Platform> platform_;

 private:
  std::set<std::string> instances_;
};

}  // namespace krypton::platform::testing
