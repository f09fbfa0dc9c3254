// GET /readyz at a sidecar's ops port: does it answer at all? Belongs to the loop's thread;
// destroying it cancels it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "manager/platform/local/files.h"
#include "manager/platform/local/loop.h"

namespace krypton::platform {

class Probe {
 public:
  // Calls `done(ready)` once, from the loop, at the latest after `timeout`; true: it answered 200.
  // `folder`: the replica's, where the sidecar's ready file says the port.
  Probe(Loop& loop, const std::string& folder, std::chrono::milliseconds timeout,
        std::function<void(bool ready)> done);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

 private:
  bool Ask(int port);
  void OnReadable();
  void Finish(bool ready);

  Loop& loop_;
  std::function<void(bool)> done_;
  UniqueFd socket_;
  Loop::TimerId timer_ = 0;
  std::string answer_;
};

}  // namespace krypton::platform
