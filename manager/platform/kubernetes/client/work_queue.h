// WorkQueue holds keys, not objects: what is to be reconciled, and when. A key that is added twice
// before it is taken is there once; a key that is being worked on is never given to a second
// worker, and when it is added meanwhile it comes once more after Done. Failed keys come back after
// 5 ms · 2^n up to 1000 s each, and all retries together at most 10 a second after a burst of 100
// (client-go util/workqueue). Any thread.
//
// Workers run a function over the queue's keys on a number of threads of their own and do the
// bookkeeping: queue it again after a failure, forget it after a success, count.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace prometheus {
class Registry;
}

namespace krypton::kube {

struct WorkQueueSettings {
  std::string name;  // the label of its series, workqueue_*{name}
  std::chrono::milliseconds min_backoff{5};
  std::chrono::milliseconds max_backoff{1'000'000};
  double retries_per_second = 10;
  int retry_burst = 100;
};

class WorkQueue {
 public:
  WorkQueue(WorkQueueSettings settings, prometheus::Registry& metrics);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void Add(std::string key);
  // Of several times for one key the earliest counts.
  void AddAfter(std::string key, std::chrono::nanoseconds delay);
  // As AddAfter, with the backoff of a key that has failed once more.
  void AddRateLimited(std::string key);

  // The next key; blocks. nullopt after ShutDown. Each key is given back by Done.
  std::optional<std::string> Get();
  void Done(const std::string& key);
  // Its failures are over: the next one is its first.
  void Forget(const std::string& key);
  int Failures(const std::string& key) const;

  // Keys that wait to be taken now, without those that wait for their time.
  size_t size() const;
  // Get returns nullopt, what waits is dropped. Idempotent.
  void ShutDown();

  const std::string& name() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What became of one key.
struct ReconcileResult {
  absl::Status status;  // not OK: again, with backoff
  // OK, but look again then; as controller-runtime's RequeueAfter.
  std::optional<std::chrono::nanoseconds> again_after;
};

class Workers {
 public:
  // `reconcile` must not throw and is called by up to `count` threads at once, never with one key
  // twice at a time. `controller` is the label of controller_runtime_reconcile_*.
  Workers(std::string controller, int count, WorkQueue& queue,
          std::function<ReconcileResult(const std::string& key)> reconcile,
          prometheus::Registry& metrics);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void Start();
  // Shuts the queue down and waits for what runs (patience.h bounds that).
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::kube
