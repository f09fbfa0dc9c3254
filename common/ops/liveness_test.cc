#include "common/ops/liveness.h"

#include <gtest/gtest.h>

#include <future>

#include "common/http/workers.h"

namespace krypton::ops {
namespace {

using namespace std::chrono_literals;

// Calls Check until `wanted`.
template <typename Wanted>
bool Becomes(WorkerLiveness& liveness, Wanted wanted) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < deadline) {
    if (wanted(liveness.Check())) return true;
    std::this_thread::yield();
  }
  return false;
}

TEST(WorkerLivenessTest, AWorkerThatBlocksIsStuckAndOneThatRunsAgainIsNot) {
  http::Workers workers(2);
  workers.Start();
  WorkerLiveness liveness(workers, 1ms);
  EXPECT_TRUE(Becomes(liveness, [](const absl::Status& status) { return status.ok(); }));
  std::promise<void> release;
  workers[1].Post([&] { release.get_future().wait(); });
  absl::Status stuck;
  EXPECT_TRUE(Becomes(liveness, [&](const absl::Status& status) {
    stuck = status;
    // On a busy machine the other one is late for a moment too.
    return std::string(status.message()).find("worker 1") != std::string::npos;
  })) << stuck;
  release.set_value();
  EXPECT_TRUE(Becomes(liveness, [](const absl::Status& status) { return status.ok(); }));
  workers.Stop();
}

}  // namespace
}  // namespace krypton::ops
