// The streams that are open, so that they can be told of changes, bounded in number, and ended when
// the process drains. A stream is two functions; both may be called by any thread, also after the
// stream has ended. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/registry/client.h"

namespace krypton::controlplane {

class Streams {
 public:
  struct Stream {
    // Null for a stream that changes do not concern.
    std::function<void(const registry::Change&)> on_change;
    // Ends it with UNAVAILABLE.
    std::function<void()> stop;
  };

  explicit Streams(size_t max_streams) : max_streams_(max_streams) {}

  // A number for Remove, never 0. kResourceExhausted: there are too many; kUnavailable: the process
  // drains.
  absl::StatusOr<uint64_t> Add(Stream stream);
  // The stream's functions are not called any more once this has returned, but for calls under way.
  void Remove(uint64_t number);

  void Publish(const registry::Change& change);
  // Stops all, and admits no more.
  void StopAll();

  size_t size() const;

 private:
  // A copy, so that no lock is held while streams are called.
  std::vector<std::shared_ptr<const Stream>> All() const;

  const size_t max_streams_;
  mutable std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<const Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace krypton::controlplane
