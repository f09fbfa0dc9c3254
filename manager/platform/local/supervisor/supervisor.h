// One replica's life: starts the sidecar and the agent, keeps what they print, says how they end,
// and ends them in order: /drain, then the agent, then the sidecar, then whatever descends from
// either. Goes on without a manager for a while (another may come and adopt the replica), then ends
// in the same order and leaves nothing behind. One thread, one object a process.
#pragma once

#include <cstdint>

#include "manager/platform/local/supervisor/child.h"
#include "manager/platform/local/supervisor/control.h"
#include "manager/platform/local/supervisor/drain.h"
#include "manager/platform/local/supervisor/log_file.h"
#include "manager/platform/local/supervisor/spec.h"

namespace krypton::supervisor {

class Supervisor {
 public:
  // `listener`: the bound control socket. `folder_fd`: the replica's folder.
  Supervisor(const Spec& spec, int listener, int folder_fd);

  // Runs the replica to its end.
  void Run();

 private:
  // In this order, some left out.
  enum class Phase { kRunning, kDraining, kStoppingAgent, kStoppingProxy, kKilling };

  void StartChildren();
  void Step();
  void Wait();
  long TimeoutMs() const;
  void OnSignals();
  void OnConnection();
  void OnLine(const char* line);
  void OnDrain(Drain::Result result);
  void CheckChildren();
  void CheckDeadlines();
  void SayExit(const Child& child);
  void SayHello(int connection);

  void BeginDrain(long grace_ms);
  void StopAgent();
  void StopProxy(long limit_ms);
  void KillAll();
  void Enter(Phase phase, long limit_ms);
  void RemoveFiles();

  const Spec& spec_;
  const int folder_fd_;
  const int signals_;
  Control control_;
  Child agent_{"agent"};
  Child proxy_{"proxy"};
  LogFile agent_log_;
  LogFile proxy_log_;
  Drain drain_;
  Phase phase_ = Phase::kRunning;
  bool children_left_ = true;
  bool agent_end_said_ = false;
  bool proxy_end_said_ = false;
  // The manager has seen it ready; kept for the next manager.
  bool ready_ = false;
  // Milliseconds of the monotonic clock; 0: none.
  int64_t phase_deadline_ = 0;
  int64_t orphan_deadline_ = 0;
};

}  // namespace krypton::supervisor
