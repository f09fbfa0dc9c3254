#include "common/ops/liveness.h"

#include <string>

#include "common/http/workers.h"

namespace krypton::ops {

WorkerLiveness::WorkerLiveness(http::Workers& workers, std::chrono::milliseconds limit)
    : workers_(workers), limit_(limit) {
  for (int i = 0; i < workers.size(); ++i) asked_.push_back(std::make_shared<AskedAt>(0));
}

absl::Status WorkerLiveness::Check() {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  absl::Status status;
  for (int i = 0; i < workers_.size(); ++i) {
    const std::shared_ptr<AskedAt> asked = asked_[static_cast<size_t>(i)];
    int64_t before = 0;
    if (asked->compare_exchange_strong(before, now)) {
      workers_[i].Post([asked] { asked->store(0); });
    } else if (now - before > limit_.count()) {
      status.Update(absl::UnavailableError("worker " + std::to_string(i) + " is stuck for " +
                                           std::to_string((now - before) / 1'000'000'000) + " s"));
    }
  }
  return status;
}

}  // namespace krypton::ops
