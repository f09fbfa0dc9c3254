// Whether the threads that carry traffic still run. A probe of /healthz asks each worker to say so,
// and looks at what it said to the probe before: a worker that has not answered for `limit` is
// stuck, and the process with it. Probes cost one post a worker. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"

namespace krypton::http {
class Workers;
}

namespace krypton::ops {

class WorkerLiveness {
 public:
  // Requires: `workers` run for as long as Check is called.
  explicit WorkerLiveness(http::Workers& workers,
                          std::chrono::milliseconds limit = std::chrono::seconds(5));

  absl::Status Check();

 private:
  // When the worker was asked, by the steady clock; 0 when it has answered.
  using AskedAt = std::atomic<int64_t>;

  http::Workers& workers_;
  const std::chrono::nanoseconds limit_;
  // Shared with posts that may outlive this.
  std::vector<std::shared_ptr<AskedAt>> asked_;
};

}  // namespace krypton::ops
