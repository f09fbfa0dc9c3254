// The processes of one mesh: manager, gateway and control plane. Starts them, starts one again that
// ends (after a wait that grows), and ends all in order. Belongs to the main thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/up/addresses.h"
#include "cli/up/child.h"
#include "common/rpc/backoff.h"
#include "common/rpc/tls.h"

namespace krypton::cli {

struct MeshSettings {
  MeshAddresses addresses;
  std::vector<std::string> manifests;
  std::string state_dir;
  std::string log_level = "info";
  std::string log_format = "text";
  rpc::TlsSettings tls;
};

class Mesh {
 public:
  // `say` gets one line for each thing that happens.
  Mesh(MeshSettings settings, std::function<void(const std::string&)> say);

  // Starts all and waits until each serves (its /readyz). An error, which says what the component
  // logged last, leaves some of them running: Stop. `stop_fd` readable ends the wait early, OK.
  absl::Status Start(int stop_fd);

  // What to poll for; then call Tick, at least each second: it collects what has ended and starts
  // it again when its time has come.
  std::vector<int> fds() const;
  void Tick();

  // The gateway drains first, so that it serves what it has with the replicas there are; then the
  // control plane and the manager, which ends the replicas. Whoever takes too long is killed.
  absl::Status Stop();

  // {"gateway":{"pid":..,"http":..},...}: what --ready-file holds.
  std::string ReadyJson() const;

  struct ComponentState {
    const ComponentAddresses* addresses;
    pid_t pid;
    std::string state;  // "running", "restarts in 2 s"
  };
  std::vector<ComponentState> states() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Component {
    const ComponentAddresses* addresses;
    std::unique_ptr<Child> child;
    rpc::Backoff backoff;
    Clock::time_point started;
    Clock::time_point restart_at;
    bool serves = false;  // Its /readyz has said so since Start began.
  };

  absl::Status Add(const ComponentAddresses& addresses, const std::string& binary,
                   std::vector<std::string> flags);
  absl::Status StartOne(Component& component);
  bool AllServe(absl::Status& failure);
  // Something ended by what ends `krypton up` too: whoever stops all processes of a group at once.
  bool StoppedFromOutside(int stop_fd);
  absl::Status End(const std::vector<std::string>& names, std::chrono::seconds limit);

  const MeshSettings settings_;
  const std::function<void(const std::string&)> say_;
  std::vector<Component> components_;
};

// The path of `binary`: beside this program, else in PATH. kNotFound.
absl::StatusOr<std::string> FindBinary(const std::string& binary);

}  // namespace krypton::cli
