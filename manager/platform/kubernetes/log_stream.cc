#include "manager/platform/kubernetes/log_stream.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/config/utf8.h"
#include "common/log/log.h"

namespace krypton::kube {
namespace {

// Of all pods together, before their readers wait.
constexpr size_t kMaxBufferedBytes = 256 << 10;
constexpr size_t kMaxLineBytes = 16 << 10;

class PodLogs : public platform::LogStream {
 public:
  PodLogs(Client& client, std::vector<PodPtr> pods, const platform::LogOptions& options)
      : client_(client), options_(options), open_(pods.size()) {
    for (PodPtr& pod : pods) {
      readers_.emplace_back(
          [this, pod = std::move(pod)](std::stop_token stop) { Read(pod, stop); });
    }
    readers_.emplace_back([this](std::stop_token stop) { Notify(stop); });
  }
  ~PodLogs() override {
    for (std::jthread& reader : readers_) reader.request_stop();
    readers_.clear();
  }

  absl::StatusOr<platform::LogBatch> Read(size_t max_bytes) override;
  void WhenReadable(std::function<void()> ready) override;

 private:
  void Read(const PodPtr& pod, std::stop_token stop);
  bool Take(const std::string& instance, std::string_view piece, std::string* rest,
            const std::stop_token& stop);
  void Push(platform::LogBatch batch, size_t bytes);
  // Calls `ready`, on a thread of its own: who asks may hold a lock.
  void Notify(const std::stop_token& stop);

  Client& client_;
  const platform::LogOptions options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<platform::LogBatch> batches_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> ready_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::jthread> readers_;
};

void PodLogs::Read(const PodPtr& pod, std::stop_token stop) {
  LogQuery query;
  query.container = "agent";
  query.follow = options_.follow;
  query.tail_lines = options_.tail_lines;
  std::string rest;
  const absl::Status status =
      client_.ReadLog({pod->key.namespace_(), pod->name}, query, stop,
                      [&](std::string_view piece) { return Take(pod->uid, piece, &rest, stop); });
  platform::LogBatch last;
  last.instance = pod->uid;
  if (!rest.empty()) last.lines.push_back(config::ToUtf8(std::move(rest)));
  // A container that does not run yet has no log.
  if (!status.ok() && !stop.stop_requested()) {
    log::Debug("a pod's log ended", {{"pod", pod->name}, {"why", std::string(status.message())}});
  }
  last.end = true;
  Push(std::move(last), 0);
}

// False: nobody reads on.
bool PodLogs::Take(const std::string& instance, std::string_view piece, std::string* rest,
                   const std::stop_token& stop) {
  platform::LogBatch batch;
  batch.instance = instance;
  const size_t bytes = piece.size();
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    rest->append(piece.substr(0, end));
    if (end == piece.npos && rest->size() < kMaxLineBytes) break;
    if (rest->size() > kMaxLineBytes) rest->resize(kMaxLineBytes);
    batch.lines.push_back(config::ToUtf8(std::exchange(*rest, {})));
    piece.remove_prefix(end == piece.npos ? piece.size() : end + 1);
  }
  if (!batch.lines.empty()) Push(std::move(batch), bytes);
  std::unique_lock lock(mutex_);
  return changed_.wait(lock, stop, [this] { return bytes_ < kMaxBufferedBytes; });
}

void PodLogs::Push(platform::LogBatch batch, size_t bytes) {
  std::lock_guard lock(mutex_);
  bytes_ += bytes;
  batches_.push_back(std::move(batch));
  changed_.notify_all();
}

void PodLogs::Notify(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (
      changed_.wait(lock, stop, [this] { return ready_ && (!batches_.empty() || open_ == 0); })) {
    const std::function<void()> ready = std::exchange(ready_, nullptr);
    lock.unlock();
    ready();
    lock.lock();
  }
}

absl::StatusOr<platform::LogBatch> PodLogs::Read(size_t max_bytes) {
  std::lock_guard lock(mutex_);
  platform::LogBatch taken;
  if (open_ == 0) {
    taken.end = true;
    return taken;
  }
  size_t size = 0;
  while (!batches_.empty()) {
    platform::LogBatch& front = batches_.front();
    if (!taken.instance.empty() && taken.instance != front.instance) break;
    taken.instance = front.instance;
    auto line = front.lines.begin();
    for (; line != front.lines.end() && size < max_bytes; ++line) {
      size += line->size() + 1;
      taken.lines.push_back(std::move(*line));
    }
    front.lines.erase(front.lines.begin(), line);
    if (!front.lines.empty()) break;
    if (front.end) --open_;
    batches_.pop_front();
  }
  bytes_ -= std::min(bytes_, size);
  if (batches_.empty()) bytes_ = 0;
  taken.end = open_ == 0;
  changed_.notify_all();
  return taken;
}

void PodLogs::WhenReadable(std::function<void()> ready) {
  std::lock_guard lock(mutex_);
  ready_ = std::move(ready);
  changed_.notify_all();
}

}  // namespace

std::unique_ptr<platform::LogStream> OpenLogs(Client& client, std::vector<PodPtr> pods,
                                              const platform::LogOptions& options) {
  return std::make_unique<PodLogs>(client, std::move(pods), options);
}

}  // namespace krypton::kube
