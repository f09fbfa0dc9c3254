// The cpp-httplib server behind the front: on a Unix socket that nobody but this process can reach
// (bound in a folder of its own, opened by path, and unlinked at once: /proc/self/fd leads to it,
// and nothing is left behind whatever ends the process). It turns a request into a plain value,
// asks `dispatch` on a thread of its pool, and writes the answer, streams included.
//
// cpp-httplib 0.11 does more to a request than it should; the front hides from it what would set
// that off (hidden.h) and the backend puts it back.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/transcode/transcoder.h"

namespace krypton::ops {

class Backend {
 public:
  struct Settings {
    int threads = 16;
    // Streams open at once; one more is refused with 503.
    int max_streams = 12;
    size_t max_body_bytes = 4 << 20;
  };
  using Dispatch = std::function<transcode::Response(const transcode::Request&)>;

  // `dispatch` runs on many threads at once.
  Backend(Settings settings, Dispatch dispatch);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // The path to connect to, valid in this process only. Once.
  absl::StatusOr<std::string> Start();
  // Ends streams, waits for handlers. Idempotent.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::ops
