#include "controlplane/streams.h"

#include <utility>

namespace krypton::controlplane {

absl::StatusOr<uint64_t> Streams::Add(Stream stream) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return absl::UnavailableError("shutting down");
  if (streams_.size() >= max_streams_) {
    return absl::ResourceExhaustedError("too many streams are open");
  }
  streams_[++last_number_] = std::make_shared<const Stream>(std::move(stream));
  return last_number_;
}

void Streams::Remove(uint64_t number) {
  std::shared_ptr<const Stream> removed;  // Destroyed without the lock.
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(number);
  if (found == streams_.end()) return;
  removed = std::move(found->second);
  streams_.erase(found);
}

std::vector<std::shared_ptr<const Streams::Stream>> Streams::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Stream>> all;
  for (const auto& [number, stream] : streams_) all.push_back(stream);
  return all;
}

void Streams::Publish(const registry::Change& change) {
  for (const auto& stream : All()) {
    if (stream->on_change) stream->on_change(change);
  }
}

void Streams::StopAll() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  for (const auto& stream : All()) stream->stop();
}

size_t Streams::size() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace krypton::controlplane
