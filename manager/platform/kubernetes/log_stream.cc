#include "manager/platform/kubernetes/log_stream.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/rpc/backoff.h"
#include "google/protobuf/util/time_util.h"
#include "manager/platform/kubernetes/log_lines.h"

namespace krypton::kube {
namespace {

using Clock = std::chrono::steady_clock;

// Of all pods together, before their readers wait.
constexpr size_t kMaxBufferedBytes = 256 << 10;

// A pod whose log is read, was read, or waits for its turn.
struct Source {
  PodPtr pod;
  // It came while one follows.
  bool is_new = false;
  // It exists; or since when it does not.
  bool there = true;
  Clock::time_point gone_at;
  // Nothing is added to its log any more.
  bool over = false;
  bool done = false;
  std::jthread reader;
};

class PodLogs : public platform::LogStream {
 public:
  PodLogs(Client& client, std::function<LogSources()> find, const platform::LogOptions& options,
          const LogSettings& settings)
      : client_(client),
        find_(std::move(find)),
        options_(options),
        settings_(settings),
        manager_([this] { Manage(); }) {}
  ~PodLogs() override;

  absl::StatusOr<platform::LogBatch> Read(size_t max_bytes) override;
  void WhenReadable(std::function<void()> ready) override;

 private:
  // Of the manager's thread, which also calls `ready`: who asks may hold a lock.
  void Manage();
  void Look(std::unique_lock<std::mutex>& lock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(const LogSources& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveTurns(bool exists) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Readable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !batches_.empty() || ended_;
  }

  // Of a reader's thread.
  void ReadPod(Source& source, const std::stop_token& stop);
  absl::Status ReadOnce(const Source& source, const LogQuery& query, const std::stop_token& stop,
                        LogLines& lines);
  // False: nobody reads on.
  bool Push(const std::string& instance, std::vector<std::string> lines,
            const std::stop_token& stop);

  Client& client_;
  const std::function<LogSources()> find_;
  const platform::LogOptions options_;
  const LogSettings settings_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // A place is free.
  bool turn_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<platform::LogBatch> batches_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> ready_ ABSL_GUARDED_BY(mutex_);
  // By uid.
  std::map<std::string, std::unique_ptr<Source>> sources_ ABSL_GUARDED_BY(mutex_);
  bool looked_ = false;
  bool told_of_the_limit_ = false;
  std::thread manager_;
};

PodLogs::~PodLogs() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  manager_.join();
  for (auto& [uid, source] : sources_) source->reader.request_stop();
  sources_.clear();
}

void PodLogs::Manage() {
  std::unique_lock lock(mutex_);
  Clock::time_point next_look;
  while (!stopping_) {
    if (turn_ || Clock::now() >= next_look) {
      Look(lock);
      next_look = Clock::now() + settings_.look_interval;
    }
    changed_.wait_until(lock, next_look,
                        [this] { return stopping_ || turn_ || (ready_ && Readable()); });
    if (stopping_ || !ready_ || !Readable()) continue;
    const std::function<void()> ready = std::exchange(ready_, nullptr);
    lock.unlock();
    ready();
    lock.lock();
  }
}

// Which pods there are now, and whose turn it is.
void PodLogs::Look(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const LogSources now = find_();
  lock.lock();
  turn_ = false;
  Note(now);
  GiveTurns(now.exists);
  std::vector<std::unique_ptr<Source>> gone;
  std::vector<Source*> hung;
  for (auto& [uid, source] : sources_) {
    if (source->there) continue;
    if (source->done) {
      gone.push_back(std::move(source));
    } else if (bytes_ < kMaxBufferedBytes && Clock::now() - source->gone_at > settings_.max_pause) {
      hung.push_back(source.get());  // Its node is gone with it, and nothing comes any more.
    }
  }
  std::erase_if(sources_, [](const auto& item) { return item.second == nullptr; });
  lock.unlock();
  for (Source* source : hung) source->reader.request_stop();
  gone.clear();  // Their threads end at this moment.
  lock.lock();
}

void PodLogs::Note(const LogSources& now) {
  for (auto& [uid, source] : sources_) {
    if (std::exchange(source->there, false)) source->gone_at = Clock::now();
  }
  for (const PodPtr& pod : now.pods) {
    auto found = sources_.find(pod->uid);
    if (found == sources_.end()) {
      if (looked_ && !options_.follow) continue;
      found = sources_.emplace(pod->uid, std::make_unique<Source>()).first;
      found->second->is_new = looked_;
    }
    found->second->pod = pod;
    found->second->there = true;
  }
  for (auto& [uid, source] : sources_) {
    source->over = !source->there || source->pod->trouble == kPodOver;
  }
  looked_ = true;
  changed_.notify_all();
}

void PodLogs::GiveTurns(bool exists) {
  size_t reading = 0;
  size_t waiting = 0;
  for (const auto& [uid, source] : sources_) {
    if (source->reader.joinable() && !source->done) ++reading;
  }
  for (auto& [uid, source] : sources_) {
    if (source->done || source->reader.joinable()) continue;
    if (!source->there) {
      source->done = true;
    } else if (reading < settings_.max_pods) {
      ++reading;
      source->reader = std::jthread(
          [this, &source = *source](const std::stop_token& stop) { ReadPod(source, stop); });
    } else {
      ++waiting;
    }
  }
  if (waiting > 0 && options_.follow && !std::exchange(told_of_the_limit_, true)) {
    platform::LogBatch batch;
    batch.notice =
        absl::StrCat("there are ", reading + waiting, " replicas, and the logs of ", reading,
                     " are followed at once; the others are when there is room");
    batches_.push_back(std::move(batch));
  }
  if (waiting == 0) told_of_the_limit_ = false;
  // While one follows, a replica may still come, but not of a resource that is gone.
  ended_ = reading + waiting == 0 && (!options_.follow || !exists || !options_.instance.empty());
}

void PodLogs::ReadPod(Source& source, const std::stop_token& stop) {
  using google::protobuf::util::TimeUtil;
  const std::string begun = TimeUtil::ToString(TimeUtil::GetCurrentTime());
  rpc::Backoff backoff({.min = settings_.min_pause, .max = settings_.max_pause});
  LogLines lines(options_.follow);
  LogQuery query;
  query.container = "agent";
  query.follow = options_.follow;
  query.timestamps = options_.follow;
  query.tail_lines = source.is_new ? -1 : options_.tail_lines;
  for (;;) {
    const std::string last = lines.last_time();
    const absl::Status status = ReadOnce(source, query, stop, lines);
    if (!options_.follow || stop.stop_requested() || absl::IsNotFound(status)) break;
    if (lines.last_time() != last) backoff.Reset();
    // What comes from now on is read whole; where nothing could be asked, the question is the same.
    if (query.tail_lines == 0) query.since_time = begun;
    if (!lines.last_time().empty()) query.since_time = lines.last_time();
    if (!query.since_time.empty() || !absl::IsUnavailable(status)) query.tail_lines = -1;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, stop, backoff.Next(), [&] { return source.over || stopping_; })) {
      break;
    }
    if (stop.stop_requested()) break;
  }
  std::lock_guard lock(mutex_);
  source.done = true;
  turn_ = true;
  changed_.notify_all();
}

absl::Status PodLogs::ReadOnce(const Source& source, const LogQuery& query,
                               const std::stop_token& stop, LogLines& lines) {
  PodPtr pod;
  {
    std::lock_guard lock(mutex_);
    pod = source.pod;
  }
  lines.Resume();
  const absl::Status status = client_.ReadLog(
      {pod->key.namespace_(), pod->name}, query, stop,
      [&](std::string_view piece) { return Push(pod->uid, lines.Add(piece), stop); });
  if (status.ok() || !options_.follow) Push(pod->uid, lines.Rest(), stop);
  // A container that does not run yet has no log.
  if (!status.ok() && !stop.stop_requested()) {
    log::Debug("a pod's log ended", {{"pod", pod->name}, {"why", std::string(status.message())}});
  }
  return status;
}

bool PodLogs::Push(const std::string& instance, std::vector<std::string> lines,
                   const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!lines.empty()) {
    for (const std::string& line : lines) bytes_ += line.size() + 1;
    platform::LogBatch batch;
    batch.instance = instance;
    batch.lines = std::move(lines);
    batches_.push_back(std::move(batch));
    changed_.notify_all();
  }
  changed_.wait(lock, stop, [this] { return stopping_ || bytes_ < kMaxBufferedBytes; });
  return !stopping_ && !stop.stop_requested();
}

absl::StatusOr<platform::LogBatch> PodLogs::Read(size_t max_bytes) {
  std::lock_guard lock(mutex_);
  platform::LogBatch taken;
  if (batches_.empty()) {
    taken.end = ended_;
    return taken;
  }
  size_t size = 0;
  do {
    platform::LogBatch& front = batches_.front();
    taken.instance = front.instance;
    taken.notice = std::move(front.notice);
    auto line = front.lines.begin();
    for (; line != front.lines.end() && size < max_bytes; ++line) {
      size += line->size() + 1;
      taken.lines.push_back(std::move(*line));
    }
    front.lines.erase(front.lines.begin(), line);
    if (!front.lines.empty()) break;
    batches_.pop_front();
  } while (!batches_.empty() && taken.notice.empty() && batches_.front().notice.empty() &&
           batches_.front().instance == taken.instance);
  bytes_ -= size;
  changed_.notify_all();
  return taken;
}

void PodLogs::WhenReadable(std::function<void()> ready) {
  std::lock_guard lock(mutex_);
  ready_ = std::move(ready);
  changed_.notify_all();
}

}  // namespace

std::unique_ptr<platform::LogStream> OpenLogs(Client& client, std::function<LogSources()> find,
                                              const platform::LogOptions& options,
                                              const LogSettings& settings) {
  return std::make_unique<PodLogs>(client, std::move(find), options, settings);
}

}  // namespace krypton::kube
