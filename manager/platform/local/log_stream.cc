#include "manager/platform/local/log_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace krypton::platform {
namespace {

// A replica that started since is followed from its first line.
constexpr int kAllLines = std::numeric_limits<int>::max();

}  // namespace

LocalLogStream::LocalLogStream(const LogDirectory& directory, v1::ResourceKey key,
                               LogOptions options, WaitFor wait_for)
    : directory_(directory),
      key_(std::move(key)),
      options_(std::move(options)),
      wait_for_(std::move(wait_for)) {}

LocalLogStream::~LocalLogStream() {
  if (cancel_last_) cancel_last_();
  if (cancel_) cancel_();
}

void LocalLogStream::FindSources() {
  const auto known_to_all = directory_.Get(key_);
  gone_ = !known_to_all.has_value();
  const std::vector<LogSource> present = known_to_all.value_or(std::vector<LogSource>());
  for (const LogSource& source : present) {
    if (!options_.instance.empty() && source.instance != options_.instance) continue;
    const auto known = sources_.find(source.instance);
    if (known != sources_.end()) {
      known->second.ended = source.ended;
    } else if (first_ || options_.follow) {
      const int lines = first_ ? std::clamp(options_.tail_lines, 0, 10'000) : kAllLines;
      sources_.emplace(source.instance, Source{LogTail(source.folder, lines), source.ended, false});
      order_.push_back(source.instance);
    }
  }
  first_ = false;
  for (auto& [instance, source] : sources_) {
    const bool there = std::any_of(present.begin(), present.end(), [&](const LogSource& other) {
      return other.instance == instance;
    });
    // Nothing is added to the past, either.
    source.ended = source.ended || !there || !options_.follow;
  }
}

absl::StatusOr<LogBatch> LocalLogStream::Read(size_t max_bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  FindSources();
  // The oldest first; then from the one after the last, so that a loud replica does not drown the
  // others.
  std::vector<std::string> order = order_;
  const auto last = std::find(order.begin(), order.end(), last_);
  if (last != order.end()) std::rotate(order.begin(), last + 1, order.end());
  for (const std::string& instance : order) {
    Source& source = sources_.at(instance);
    if (source.finished) continue;
    std::vector<std::string> lines = source.tail.Read(max_bytes);
    if (lines.empty() && source.ended) {
      lines = source.tail.ReadRest();
      source.finished = true;
    }
    if (lines.empty()) continue;
    last_ = instance;
    LogBatch batch;
    batch.instance = instance;
    batch.lines = std::move(lines);
    return batch;
  }
  const bool all_finished = std::all_of(sources_.begin(), sources_.end(),
                                        [](const auto& s) { return s.second.finished; });
  LogBatch batch;
  batch.end = all_finished && !MayCome();
  return batch;
}

bool LocalLogStream::Readable() {
  const std::lock_guard<std::mutex> lock(mutex_);
  FindSources();
  bool open = false;
  for (auto& [instance, source] : sources_) {
    if (source.finished) continue;
    if (source.ended || source.tail.Readable()) return true;
    open = true;
  }
  return !open && !MayCome();
}

void LocalLogStream::WhenReadable(std::function<void()> ready) {
  // The last wait is over, though its call may still be on its way out: who ends the stream waits
  // for that, not the caller, who may hold what the call has just given up.
  cancel_last_ = std::move(cancel_);
  cancel_ = wait_for_([this] { return Readable(); }, std::move(ready));
}

}  // namespace krypton::platform
