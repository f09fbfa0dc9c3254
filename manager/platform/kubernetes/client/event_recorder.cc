#include "manager/platform/kubernetes/client/event_recorder.h"

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/utf8.h"
#include "common/log/log.h"
#include "manager/platform/kubernetes/client/client.h"
#include "manager/platform/kubernetes/client/lease.h"
#include "manager/platform/kubernetes/client/token_bucket.h"

namespace krypton::kube {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using Wall = std::chrono::system_clock;

const GroupVersionResource kEvents = {"events.k8s.io", "v1", "events"};
constexpr size_t kMaxNote = 1024;

// What happened, once or as a series.
struct Event {
  EventTarget regarding;
  EventType type = EventType::kNormal;
  std::string reason;
  std::string action;
  std::string note;

  std::string name;  // Of the Event object; empty: not written yet.
  Wall::time_point first;
  Wall::time_point last;
  int count = 1;
  int written_count = 0;
  Clock::time_point seen;
  Clock::time_point written;
  bool being_written = false;

  std::string Key() const {
    return absl::StrCat(regarding.uid, "|", regarding.name_space, "/", regarding.name, "|",
                        type == EventType::kNormal, "|", reason, "|", action, "|", note);
  }
  std::string name_space() const {
    return regarding.name_space.empty() ? "default" : regarding.name_space;
  }
};

json::object ToJson(const Event& event, const EventRecorderSettings& settings) {
  json::object regarding = {{"apiVersion", event.regarding.api_version},
                            {"kind", event.regarding.kind},
                            {"name", event.regarding.name},
                            {"uid", event.regarding.uid}};
  if (!event.regarding.name_space.empty()) regarding["namespace"] = event.regarding.name_space;
  return {{"apiVersion", "events.k8s.io/v1"},
          {"kind", "Event"},
          {"metadata", {{"namespace", event.name_space()}, {"name", event.name}}},
          {"eventTime", MicroTime(event.first)},
          {"reportingController", settings.controller},
          {"reportingInstance", settings.instance},
          {"action", event.action},
          {"reason", event.reason},
          {"type", event.type == EventType::kNormal ? "Normal" : "Warning"},
          {"note", event.note},
          {"regarding", std::move(regarding)}};
}

json::value SeriesOf(const Event& event) {
  return {{"series", {{"count", event.count}, {"lastObservedTime", MicroTime(event.last)}}}};
}

}  // namespace

class EventRecorder::Impl {
 public:
  Impl(Client& client, EventRecorderSettings settings, prometheus::Registry& metrics)
      : client_(client),
        settings_(std::move(settings)),
        dropped_(prometheus::BuildCounter()
                     .Name("krypton_events_dropped_total")
                     .Help("Kubernetes Events that were not written.")
                     .Register(metrics)),
        over_budget_(dropped_.Add({{"reason", "budget"}})),
        failed_(dropped_.Add({{"reason", "failed"}})),
        written_(prometheus::BuildCounter()
                     .Name("krypton_events_written_total")
                     .Help("Kubernetes Events and series that were written.")
                     .Register(metrics)
                     .Add({})),
        bucket_(settings_.writes_per_second, settings_.burst) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  void Emit(Event event);
  void Stop(std::chrono::milliseconds patience);

 private:
  using Events = std::map<std::string, Event>;

  void Run();
  bool MakeRoom(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasBudget(const EventTarget& regarding, Clock::time_point now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When it is to be written: never, at some time, or now.
  Clock::time_point DueAt(const Event& event) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Events::iterator Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(Event& event);

  Client& client_;
  const EventRecorderSettings settings_;
  prometheus::Family<prometheus::Counter>& dropped_;
  prometheus::Counter& over_budget_;
  prometheus::Counter& failed_;
  prometheus::Counter& written_;
  log::Limiter say_failed_{std::chrono::minutes(1)};
  std::minstd_rand random_{std::random_device{}()};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Clock::time_point> stop_by_ ABSL_GUARDED_BY(mutex_);
  Events events_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<TokenBucket, Clock::time_point>> budgets_ ABSL_GUARDED_BY(mutex_);
  TokenBucket bucket_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

void EventRecorder::Impl::Emit(Event event) {
  event.note = config::CutUtf8(std::move(event.note), kMaxNote);
  event.first = event.last = Wall::now();
  event.seen = Clock::now();
  const std::lock_guard lock(mutex_);
  if (stop_by_.has_value()) return;
  const std::string key = event.Key();
  const auto it = events_.find(key);
  if (it != events_.end() &&
      (it->second.being_written || event.seen - it->second.seen < settings_.series_end)) {
    ++it->second.count;
    it->second.last = event.last;
    it->second.seen = event.seen;
  } else if (MakeRoom(event.seen) && HasBudget(event.regarding, event.seen)) {
    events_.insert_or_assign(key, std::move(event));
  } else {
    return over_budget_.Increment();
  }
  changed_.notify_one();
}

// Forgets what has been silent for long, when there is too much.
bool EventRecorder::Impl::MakeRoom(Clock::time_point now) {
  if (events_.size() < settings_.max_remembered && budgets_.size() < settings_.max_remembered) {
    return true;
  }
  std::erase_if(events_, [&](const auto& entry) {
    const Event& event = entry.second;
    return !event.being_written && event.written_count == event.count &&
           now - event.seen > settings_.series_end;
  });
  const auto full_again = settings_.refill_per_object * settings_.burst_per_object;
  std::erase_if(budgets_,
                [&](const auto& entry) { return now - entry.second.second > full_again; });
  return events_.size() < settings_.max_remembered && budgets_.size() < settings_.max_remembered;
}

bool EventRecorder::Impl::HasBudget(const EventTarget& regarding, Clock::time_point now) {
  const double per_second = 1 / std::chrono::duration<double>(settings_.refill_per_object).count();
  const std::string key =
      absl::StrCat(regarding.uid, "|", regarding.name_space, "/", regarding.name);
  auto& [budget, used] =
      budgets_.try_emplace(key, TokenBucket(per_second, settings_.burst_per_object), now)
          .first->second;
  used = now;
  return budget.Take(now);
}

Clock::time_point EventRecorder::Impl::DueAt(const Event& event) const {
  if (event.written_count == event.count) return Clock::time_point::max();
  if (event.name.empty() || stop_by_.has_value()) return Clock::time_point::min();
  return event.written + settings_.series_interval;
}

EventRecorder::Impl::Events::iterator EventRecorder::Impl::Next() {
  return std::min_element(events_.begin(), events_.end(), [this](const auto& a, const auto& b) {
    return std::pair(DueAt(a.second), a.second.first) < std::pair(DueAt(b.second), b.second.first);
  });
}

void EventRecorder::Impl::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (stop_by_.has_value() && now >= *stop_by_) return;
    const auto next = Next();
    const Clock::time_point due =
        next == events_.end() ? Clock::time_point::max() : DueAt(next->second);
    if (due == Clock::time_point::max()) {
      if (stop_by_.has_value()) return;
      changed_.wait(lock);
      continue;
    }
    if (due > now) {
      changed_.wait_until(lock, due);
      continue;
    }
    if (!bucket_.Take(now)) {
      changed_.wait_for(lock, std::chrono::milliseconds(100));
      continue;
    }
    next->second.being_written = true;
    Event event = next->second;
    lock.unlock();
    const absl::Status status = Write(event);
    lock.lock();
    next->second.being_written = false;
    if (status.ok()) {
      written_.Increment();
      next->second.name = event.name;
      next->second.written_count = event.count;
      next->second.written = Clock::now();
    } else {
      failed_.Increment();
      events_.erase(next);
    }
  }
}

// Creates the Event, or brings its series up to date.
absl::Status EventRecorder::Impl::Write(Event& event) {
  absl::Status status;
  if (event.name.empty()) {
    event.count = 1;
    event.name = absl::StrFormat("%s.%08x%08x", config::CutUtf8(event.regarding.name, 200),
                                 random_(), random_());
    status = client_.Create(kEvents, event.name_space(), ToJson(event, settings_)).status();
  } else {
    status =
        client_.Patch(kEvents, {event.name_space(), event.name}, PatchType::kMerge, SeriesOf(event))
            .status();
  }
  if (!status.ok() && say_failed_.Allow()) {
    log::Warn("an event could not be written", {{"reason", event.reason}, {"error", status}});
  }
  return status;
}

void EventRecorder::Impl::Stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_by_ = Clock::now() + patience;
    changed_.notify_one();
  }
  thread_.join();
}

EventRecorder::EventRecorder(Client& client, EventRecorderSettings settings,
                             prometheus::Registry& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), metrics)) {}
EventRecorder::~EventRecorder() { Stop(); }

void EventRecorder::Start() { impl_->Start(); }
void EventRecorder::Emit(const EventTarget& regarding, EventType type, std::string reason,
                         std::string action, std::string note) {
  Event event;
  event.regarding = regarding;
  event.type = type;
  event.reason = std::move(reason);
  event.action = std::move(action);
  event.note = std::move(note);
  impl_->Emit(std::move(event));
}
void EventRecorder::Stop(std::chrono::milliseconds patience) { impl_->Stop(patience); }

}  // namespace krypton::kube
