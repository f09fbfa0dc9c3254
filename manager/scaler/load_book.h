// Where the load of one resource comes from, source by source: a sidecar for each replica, and the
// gateways at which requests wait. Bounded: replicas count only while the registry names them, a
// gateway only with its last report, and what is silent for too long expires. Belongs to the scaler
// and is guarded by its lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "manager/scaler/policy.h"

namespace krypton::scaler {

// When a gateway was heard, or a sidecar.
struct Source {
  TimePoint first_seen;
  TimePoint last_seen;
};
using SourcePtr = std::shared_ptr<const Source>;

class LoadBook {
 public:
  struct Settings {
    // Two missed heartbeats (10 s each) and a margin.
    std::chrono::milliseconds silent_after{25'000};
    std::chrono::milliseconds expire_after{90'000};
    // Kept of replicas that the registry does not name yet.
    size_t max_unknown_replicas = 64;
    size_t max_gateways = 256;
  };

  explicit LoadBook(const Settings& settings) : settings_(settings) {}

  // All replicas that the registry names. `known_before`: they ran before this scaler did.
  struct NamedReplica {
    absl::string_view instance;
    // Has no demand that a new replica could serve.
    bool draining = false;
  };
  void SetReplicas(const std::vector<NamedReplica>& replicas, bool known_before);

  // What a sidecar says. `last_active` of its requests and of the bytes on its streams.
  void ReportReplica(absl::string_view instance, TimePoint now, double in_flight,
                     TimePoint last_active);
  // A sidecar says that nothing has changed.
  void TouchReplica(absl::string_view instance, TimePoint now);
  // What a gateway says; nothing waiting and nothing in flight removes it. What is in flight is no
  // demand (the sidecars say that), but it keeps awake.
  void ReportQueue(absl::string_view gateway, SourcePtr source, int waiting, int in_flight);

  // All of it as of `now`; expires what is silent for too long. The load is unsettled when a
  // replica that was known before has first reported after `settled_since` or never
  // (TimePoint::max(): does not matter any more).
  Load Sum(TimePoint now, TimePoint settled_since);

  // Nothing runs and nothing waits: a tick has no need to look.
  bool quiet() const { return replicas_.empty() && gateways_.empty(); }
  // That the registry names.
  int replicas() const;
  bool known_before() const { return known_before_; }

 private:
  struct Replica {
    bool reported() const { return heard.last_seen != TimePoint{}; }

    // Here and not behind a pointer, as a gateway's: a tick looks at all of them.
    Source heard{};
    double in_flight = 0;
    TimePoint last_active{};
    bool named = false;  // By the registry.
    bool draining = false;
    bool known_before = false;
  };
  struct Queue {
    SourcePtr source;
    int waiting = 0;
    int in_flight = 0;
  };

  bool IsExpired(const Source& source, TimePoint now) const;
  // Does not report, or not any more.
  bool IsLost(const Replica& replica, TimePoint now) const;
  void Expire(TimePoint now);

  Settings settings_;
  bool known_before_ = false;
  absl::flat_hash_map<std::string, Replica> replicas_;
  absl::flat_hash_map<std::string, Queue> gateways_;
};

}  // namespace krypton::scaler
