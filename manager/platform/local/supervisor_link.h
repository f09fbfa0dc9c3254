// The manager's hold on one krypton-supervisor: starts it, or finds one that an earlier manager
// started; hears how its processes do; orders its drain; knows when it has ended. Belongs to the
// loop's thread. Destroying it lets go of the supervisor without ending it: after its orphan
// timeout it drains by itself.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "manager/platform/local/files.h"
#include "manager/platform/local/loop.h"
#include "manager/platform/local/process.h"

namespace krypton::platform {

class SupervisorLink {
 public:
  struct Events {
    // It has said hello: the agent's pid is known. `ready`: an earlier manager has seen it ready;
    // `ending`: it drains or stops already.
    std::function<void(bool ready, bool ending)> on_hello;
    // `who` is "agent" or "proxy", `what` is "the agent exited with status 3": it ends by itself
    // from here.
    std::function<void(std::string who, std::string what)> on_failure;
    // The supervisor is no more. The last event.
    std::function<void()> on_gone;
  };

  // A supervisor in `folder`, which exists and is empty. `spec` as SupervisorSpec makes it; the
  // reservation of the agent's port goes over to it. Takes a millisecond or two.
  static absl::StatusOr<std::unique_ptr<SupervisorLink>> Start(Loop& loop,
                                                               const std::string& binary,
                                                               const std::string& folder,
                                                               const std::string& spec,
                                                               const UniqueFd& reservation);
  // The one that still listens in `folder`. NOT_FOUND: none does.
  static absl::StatusOr<std::unique_ptr<SupervisorLink>> Adopt(Loop& loop,
                                                               const std::string& folder,
                                                               const ProcessId& supervisor);
  ~SupervisorLink();

  // Events come from the loop, never from within a call of this object.
  void Listen(Events events);

  // Tells the next manager that this replica has been ready.
  void NoteReady();
  void Drain(std::chrono::milliseconds grace);
  // Ends everything now, by way of the supervisor.
  void Kill();
  // For one that does not react: SIGKILL. Its children die with it.
  void KillSupervisor();

  const ProcessId& supervisor() const { return supervisor_; }
  // 0 before hello.
  pid_t agent_pid() const { return agent_pid_; }
  bool said_hello() const { return said_hello_; }
  // It ended by a signal, or nobody knows how: something of it may be left.
  bool ended_abnormally() const { return ended_abnormally_; }

 private:
  SupervisorLink(Loop& loop, UniqueFd connection, UniqueFd pidfd, ProcessId supervisor, bool ours);

  void Send(const std::string& line);
  void OnReadable();
  void OnLine(const std::string& line);
  void OnEnded();

  Loop& loop_;
  UniqueFd connection_;
  UniqueFd pidfd_;
  const ProcessId supervisor_;
  // A child of this process, which has to be waited for.
  const bool ours_;
  Events events_;
  std::string received_;
  pid_t agent_pid_ = 0;
  bool said_hello_ = false;
  bool ended_abnormally_ = false;
};

}  // namespace krypton::platform
