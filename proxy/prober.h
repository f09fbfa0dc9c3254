// Prober finds out whether the agent takes requests: every few milliseconds until it does, so that
// a cold start waits for nothing, and each second from then on. Once the agent stops accepting
// connections, it is tried quickly again.
//
// "Takes requests" means that its port accepts a connection or, with a ready path, that a GET of it
// is answered by 2xx. Everything runs on one worker; Start, Stop and Suspect may be called by any
// thread. Stop must be called, and the worker run on until its tasks end, before the destruction.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "common/http/client.h"
#include "common/http/event.h"
#include "common/http/task.h"
#include "common/http/workers.h"

namespace krypton::proxy {

class Prober {
 public:
  struct Settings {
    // Until the agent is ready; up to ten times as long for one that takes its time.
    std::chrono::milliseconds interval{5};
    std::chrono::milliseconds watch_interval{1000};  // While it is.
    std::chrono::milliseconds timeout{1000};         // Of one attempt.
    std::string ready_path;                          // Empty: a connection is enough.
  };

  // `on_change` runs on `worker`, at each change, beginning with the first success. `client` should
  // keep no idle connections: one that is only held would block a single-threaded agent.
  Prober(http::Worker& worker, http::Client& client, http::Endpoint agent, Settings settings,
         std::function<void(bool ready)> on_change);

  void Start();
  void Stop();
  // The agent refused a connection: looks at once.
  void Suspect();

 private:
  http::Task<void> Run();
  http::Task<bool> Probe();
  std::chrono::milliseconds Pause(http::Clock::duration so_far) const;

  http::Worker& worker_;
  http::Client& client_;
  const http::Endpoint agent_;
  const Settings settings_;
  const std::function<void(bool)> on_change_;
  // Of the worker.
  http::Event hurry_;
  bool stopping_ = false;
  bool ready_ = false;
  http::TimePoint unready_since_;
};

}  // namespace krypton::proxy
