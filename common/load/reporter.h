// Reporter keeps one LoadService.Report stream up, for the whole life of a sidecar or a gateway.
//
// The owner says *that* something changed (`ReportNow`: cheap, any thread, any number of times);
// the Reporter asks *what* it is, through `Collect`, only when a report can really leave, and each
// second on its own. There is never a queue of reports, at most one is on its way: a manager that
// is slow or gone costs a bounded amount of memory and never delays a request.
//
// One thread of its own calls `Collect`, one call at a time. A stream that breaks is opened again
// with backoff and jitter; each stream begins with all that the owner knows. A leader's address in
// an answer moves the stream there; when the leader cannot be reached, the next attempt goes to the
// configured address again. Destruction stops at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "krypton/v1/scaling.pb.h"

namespace grpc {
class Channel;
}

namespace krypton::load {

// What a report shall contain. The Reporter fills in `reporter` and `sequence` itself.
enum class Scope {
  kEverything,  // The first report of a stream: all that the owner knows. Always sent.
  kChanges,     // What changed since the last call; nothing is sent when it is empty.
  kHeartbeat,   // Nothing was sent for a while: as kChanges, but sent even when it is empty.
};

class Reporter {
 public:
  struct Settings {
    std::string manager_address;  // `host:port` of the manager's gRPC server.
    // Between two reports of changing load, and between two questions whether it has changed.
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds heartbeat{10000};
    // Between two reports that ReportNow asks for; the first of several leaves at once.
    std::chrono::milliseconds min_gap{2};
    std::chrono::milliseconds min_backoff{50};
    std::chrono::milliseconds max_backoff{5000};
    // A stream that acknowledges nothing for so long is taken for dead and opened again.
    std::chrono::milliseconds acknowledge_timeout{20000};
    // Read for each stream, and sent with it as `authorization: Bearer`; empty: none.
    std::string token_file;
  };

  // The state of the stream, for metrics and /readyz.
  struct Status {
    bool connected = false;  // The manager has acknowledged a report of the present stream.
    std::string address;     // Where the stream goes.
    std::uint64_t streams_opened = 0;
    std::uint64_t reports_sent = 0;
  };

  // Makes a channel to `host:port`; `rpc::Connect` with the binary's TLS settings. An error counts
  // as a stream that broke.
  using ChannelFactory =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& address)>;
  // Called by the Reporter's thread only. Means over time start anew at each call.
  using Collect = std::function<v1::ReportRequest(Scope)>;

  // `who` names the reporter in the first message of each stream.
  Reporter(ChannelFactory connect, v1::Reporter who, Settings settings, Collect collect);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  // Requires: not started yet.
  void Start();

  // A change that cannot wait: a state, a queue that becomes non-empty or empty. A report leaves as
  // soon as the one on its way is written; calls in between coalesce. Any thread, never blocks.
  void ReportNow();

  // Stops within `patience`: writes what `ReportNow` asked for, half-closes the stream and waits
  // for the manager to end it, or cancels it. No `Collect` afterwards. May be called twice.
  void Stop(std::chrono::milliseconds patience = std::chrono::milliseconds(0));

  // Any thread.
  Status status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::load
