#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <thread>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "manager/platform/kubernetes/client/work_queue.h"

namespace krypton::kube {
namespace {

// controller-runtime's.
const prometheus::Histogram::BucketBoundaries kBuckets = {
    0.005, 0.01, 0.025, 0.05, 0.1,  0.15, 0.2,  0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
    0.7,   0.8,  0.9,   1.0,  1.25, 1.5,  1.75, 2.0,  2.5, 3.0,  3.5, 4.0,  4.5, 5,
    6,     7,    8,     9,    10,   15,   20,   25,   30,  40,   50,  60};

}  // namespace

class Workers::Impl {
 public:
  Impl(std::string controller, int count, WorkQueue& queue,
       std::function<ReconcileResult(const std::string&)> reconcile, prometheus::Registry& metrics)
      : controller_(std::move(controller)),
        count_(count),
        queue_(queue),
        reconcile_(std::move(reconcile)),
        success_(Result("success", metrics)),
        error_(Result("error", metrics)),
        again_(Result("requeue_after", metrics)),
        errors_(prometheus::BuildCounter()
                    .Name("controller_runtime_reconcile_errors_total")
                    .Help("Reconciliations that failed.")
                    .Register(metrics)
                    .Add({{"controller", controller_}})),
        time_(prometheus::BuildHistogram()
                  .Name("controller_runtime_reconcile_time_seconds")
                  .Help("How long reconciliations took.")
                  .Register(metrics)
                  .Add({{"controller", controller_}}, kBuckets)),
        active_(prometheus::BuildGauge()
                    .Name("controller_runtime_active_workers")
                    .Help("Workers that reconcile at the moment.")
                    .Register(metrics)
                    .Add({{"controller", controller_}})) {
    prometheus::BuildGauge()
        .Name("controller_runtime_max_concurrent_reconciles")
        .Help("Workers that may reconcile at once.")
        .Register(metrics)
        .Add({{"controller", controller_}})
        .Set(count);
  }

  void Start() {
    for (int i = 0; i < count_; ++i) threads_.emplace_back([this] { Run(); });
  }
  void Stop() {
    queue_.ShutDown();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  prometheus::Counter& Result(const char* result, prometheus::Registry& metrics) {
    return prometheus::BuildCounter()
        .Name("controller_runtime_reconcile_total")
        .Help("Reconciliations by their result.")
        .Register(metrics)
        .Add({{"controller", controller_}, {"result", result}});
  }

  void Run() {
    while (const std::optional<std::string> key = queue_.Get()) {
      active_.Increment();
      const auto began = std::chrono::steady_clock::now();
      const ReconcileResult result = reconcile_(*key);
      time_.Observe(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
      active_.Decrement();
      Settle(*key, result);
      queue_.Done(*key);
    }
  }

  void Settle(const std::string& key, const ReconcileResult& result) {
    if (!result.status.ok()) {
      error_.Increment();
      errors_.Increment();
      log::Warn("reconciling failed", {{"controller", controller_},
                                       {"key", key},
                                       {"failures", queue_.Failures(key) + 1},
                                       {"error", result.status}});
      return queue_.AddRateLimited(key);
    }
    queue_.Forget(key);
    if (!result.again_after.has_value()) return success_.Increment();
    again_.Increment();
    queue_.AddAfter(key, *result.again_after);
  }

  const std::string controller_;
  const int count_;
  WorkQueue& queue_;
  const std::function<ReconcileResult(const std::string&)> reconcile_;
  prometheus::Counter& success_;
  prometheus::Counter& error_;
  prometheus::Counter& again_;
  prometheus::Counter& errors_;
  prometheus::Histogram& time_;
  prometheus::Gauge& active_;
  std::vector<std::thread> threads_;
};

Workers::Workers(std::string controller, int count, WorkQueue& queue,
                 std::function<ReconcileResult(const std::string& key)> reconcile,
                 prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(controller), count, queue, std::move(reconcile),
                                   metrics)) {}
Workers::~Workers() { Stop(); }

void Workers::Start() { impl_->Start(); }
void Workers::Stop() { impl_->Stop(); }

}  // namespace krypton::kube
