#include "manager/platform/kubernetes/client/work_queue.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "manager/platform/kubernetes/client/token_bucket.h"

namespace krypton::kube {
namespace {

using Clock = std::chrono::steady_clock;

// How old the gauges may be that grow with time (controller-runtime's).
constexpr std::chrono::milliseconds kGaugeInterval(500);

// controller-runtime's, 10 ns to 1000 s.
const prometheus::Histogram::BucketBoundaries kBuckets = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                                          1e-2, 1e-1, 1,    10,   100,  1000};

// One queue's series, by the names that controller-runtime's dashboards know.
class QueueMetrics {
 public:
  QueueMetrics(const std::string& name, prometheus::Registry& registry)
      : depth(Gauge("workqueue_depth", "Keys that wait to be worked on.", name, registry)),
        adds(Counter("workqueue_adds_total", "Keys that were added.", name, registry)),
        retries(Counter("workqueue_retries_total", "Keys that were added after a failure.", name,
                        registry)),
        waited(Histogram("workqueue_queue_duration_seconds",
                         "From when a key was added to when a worker took it.", name, registry)),
        worked(Histogram("workqueue_work_duration_seconds", "How long the work on a key took.",
                         name, registry)),
        unfinished(Gauge("workqueue_unfinished_work_seconds",
                         "Seconds that the work under way has taken so far, of all workers.", name,
                         registry)),
        longest(Gauge("workqueue_longest_running_processor_seconds",
                      "Seconds that the longest work under way has taken so far.", name,
                      registry)) {}

  prometheus::Gauge& depth;
  prometheus::Counter& adds;
  prometheus::Counter& retries;
  prometheus::Histogram& waited;
  prometheus::Histogram& worked;
  prometheus::Gauge& unfinished;
  prometheus::Gauge& longest;

 private:
  static prometheus::Gauge& Gauge(const char* series, const char* help, const std::string& name,
                                  prometheus::Registry& registry) {
    return prometheus::BuildGauge().Name(series).Help(help).Register(registry).Add(
        {{"name", name}});
  }
  static prometheus::Counter& Counter(const char* series, const char* help, const std::string& name,
                                      prometheus::Registry& registry) {
    return prometheus::BuildCounter().Name(series).Help(help).Register(registry).Add(
        {{"name", name}});
  }
  static prometheus::Histogram& Histogram(const char* series, const char* help,
                                          const std::string& name, prometheus::Registry& registry) {
    return prometheus::BuildHistogram().Name(series).Help(help).Register(registry).Add(
        {{"name", name}}, kBuckets);
  }
};

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

// A key is in `ready_` (and `dirty_`), in `running_`, or in both `running_` and `dirty_`: then it
// is ready again as soon as it is done.
struct WorkQueue::Impl {
  Impl(WorkQueueSettings settings_in, prometheus::Registry& registry)
      : settings(std::move(settings_in)),
        metrics(settings.name, registry),
        bucket(settings.retries_per_second, settings.retry_burst),
        timekeeper([this] { KeepTime(); }) {}

  void KeepTime();
  void UpdateGauges(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Add(std::string key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddAt(std::string key, Clock::time_point time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void MoveDue(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  std::chrono::nanoseconds Backoff(int failures) const;

  const WorkQueueSettings settings;
  QueueMetrics metrics;

  mutable std::mutex mutex;
  std::condition_variable got_ready;
  std::condition_variable got_later;
  bool down ABSL_GUARDED_BY(mutex) = false;
  std::deque<std::string> ready ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, Clock::time_point> dirty ABSL_GUARDED_BY(mutex);  // since when
  absl::flat_hash_map<std::string, Clock::time_point> running ABSL_GUARDED_BY(mutex);
  // Those that wait for their time, both ways.
  std::set<std::pair<Clock::time_point, std::string>> later ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, Clock::time_point> due ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, int> failures ABSL_GUARDED_BY(mutex);
  TokenBucket bucket ABSL_GUARDED_BY(mutex);
  std::thread timekeeper;  // The last member: it uses all others.
};

void WorkQueue::Impl::Add(std::string key) {
  if (down || !dirty.emplace(key, Clock::now()).second) return;
  metrics.adds.Increment();
  if (running.contains(key)) return;
  ready.push_back(std::move(key));
  metrics.depth.Set(static_cast<double>(ready.size()));
  got_ready.notify_one();
}

void WorkQueue::Impl::AddAt(std::string key, Clock::time_point time) {
  if (down) return;
  const auto [it, is_new] = due.emplace(key, time);
  if (!is_new) {
    if (it->second <= time) return;
    later.erase({it->second, key});
    it->second = time;
  }
  const bool is_first = later.empty() || time < later.begin()->first;
  later.emplace(time, std::move(key));
  if (is_first) got_later.notify_one();
}

// Moves keys whose time has come, and keeps the gauges of the work under way fresh.
void WorkQueue::Impl::KeepTime() {
  std::unique_lock lock(mutex);
  while (!down) {
    const Clock::time_point now = Clock::now();
    MoveDue(now);
    UpdateGauges(now);
    Clock::time_point wake = running.empty() ? Clock::time_point::max() : now + kGaugeInterval;
    if (!later.empty()) wake = std::min(wake, later.begin()->first);
    if (wake == Clock::time_point::max()) {
      got_later.wait(lock);
    } else {
      got_later.wait_until(lock, wake);
    }
  }
}

void WorkQueue::Impl::UpdateGauges(Clock::time_point now) {
  double sum = 0;
  double longest = 0;
  for (const auto& [key, since] : running) {
    sum += Seconds(now - since);
    longest = std::max(longest, Seconds(now - since));
  }
  metrics.unfinished.Set(sum);
  metrics.longest.Set(longest);
}

void WorkQueue::Impl::MoveDue(Clock::time_point now) {
  while (!later.empty() && later.begin()->first <= now) {
    std::string key = later.begin()->second;
    later.erase(later.begin());
    due.erase(key);
    Add(std::move(key));
  }
}

std::chrono::nanoseconds WorkQueue::Impl::Backoff(int failures_before) const {
  // 2^60 ms is longer than anything.
  const int64_t factor = int64_t{1} << std::min(failures_before, 40);
  const int64_t longest = settings.max_backoff.count();
  const int64_t shortest = settings.min_backoff.count();
  return std::chrono::milliseconds(shortest > longest / factor ? longest : shortest * factor);
}

WorkQueue::WorkQueue(WorkQueueSettings settings, prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(settings), metrics)) {}
WorkQueue::~WorkQueue() {
  ShutDown();
  impl_->timekeeper.join();
}

void WorkQueue::Add(std::string key) {
  const std::lock_guard lock(impl_->mutex);
  impl_->Add(std::move(key));
}

void WorkQueue::AddAfter(std::string key, std::chrono::nanoseconds delay) {
  const std::lock_guard lock(impl_->mutex);
  if (delay.count() <= 0) return impl_->Add(std::move(key));
  impl_->AddAt(std::move(key), Clock::now() + delay);
}

void WorkQueue::AddRateLimited(std::string key) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.down) return;
  const Clock::time_point now = Clock::now();
  const std::chrono::nanoseconds backoff = impl.Backoff(impl.failures[key]++);
  impl.metrics.retries.Increment();
  impl.AddAt(std::move(key), now + std::max(backoff, impl.bucket.Reserve(now)));
}

std::optional<std::string> WorkQueue::Get() {
  Impl& impl = *impl_;
  std::unique_lock lock(impl.mutex);
  impl.got_ready.wait(lock, [&impl] { return impl.down || !impl.ready.empty(); });
  if (impl.down) return std::nullopt;
  std::string key = std::move(impl.ready.front());
  impl.ready.pop_front();
  const Clock::time_point now = Clock::now();
  const auto added = impl.dirty.find(key);
  impl.metrics.waited.Observe(Seconds(now - added->second));
  impl.metrics.depth.Set(static_cast<double>(impl.ready.size()));
  impl.dirty.erase(added);
  impl.running.emplace(key, now);
  if (impl.running.size() == 1) impl.got_later.notify_one();
  return key;
}

void WorkQueue::Done(const std::string& key) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  const auto it = impl.running.find(key);
  if (it == impl.running.end()) return;
  impl.metrics.worked.Observe(Seconds(Clock::now() - it->second));
  impl.running.erase(it);
  if (impl.down || !impl.dirty.contains(key)) return;
  impl.ready.push_back(key);
  impl.metrics.depth.Set(static_cast<double>(impl.ready.size()));
  impl.got_ready.notify_one();
}

void WorkQueue::Forget(const std::string& key) {
  const std::lock_guard lock(impl_->mutex);
  impl_->failures.erase(key);
}

int WorkQueue::Failures(const std::string& key) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->failures.find(key);
  return it == impl_->failures.end() ? 0 : it->second;
}

size_t WorkQueue::size() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->ready.size();
}

void WorkQueue::ShutDown() {
  const std::lock_guard lock(impl_->mutex);
  impl_->down = true;
  impl_->ready.clear();
  impl_->dirty.clear();
  impl_->later.clear();
  impl_->due.clear();
  impl_->metrics.depth.Set(0);
  impl_->got_ready.notify_all();
  impl_->got_later.notify_all();
}

const std::string& WorkQueue::name() const { return impl_->settings.name; }

}  // namespace krypton::kube
