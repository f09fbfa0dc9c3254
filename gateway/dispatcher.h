// The third step of a request: a slot at a replica, or a place in the queue for one.
//
// One Dispatcher a resource, shared by all workers. It knows the resource's endpoints and what this
// gateway has in flight at each, and holds the requests that wait, first come first served and
// bounded. Its lock is held for a few comparisons, never over I/O, a wait or a call-back; a waiter
// is woken after the lock was given back. It knows no coroutine: a request is a Ticket, which it
// takes and wakes. Whatever becomes of a request, its Ticket's destructor gives back what it holds.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gateway/affinity.h"
#include "gateway/agent_card.h"
#include "gateway/endpoint.h"
#include "gateway/metrics.h"
#include "gateway/policy.h"
#include "krypton/v1/gateway.pb.h"
#include "krypton/v1/scaling.pb.h"

namespace krypton::gateway {

class Dispatcher;
using DispatcherPtr = std::shared_ptr<Dispatcher>;

// Tells a waiting request that its ticket has changed. Called by any thread, perhaps once too often
// and perhaps after the ticket's end: it must keep alive what it touches.
using Wake = std::function<void()>;

// One request on its way through a dispatcher. Owned by the request's coroutine; not moved.
class Ticket {
 public:
  explicit Ticket(DispatcherPtr dispatcher) : dispatcher_(std::move(dispatcher)) {}
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // --- Set by the owner before it asks for a slot ---
  // Outlives the ticket.
  std::string_view session;
  bool wants_stream = false;

  // --- Read by the owner while it has a slot ---
  const EndpointPtr& endpoint() const { return endpoint_; }
  // No other endpoint could take it: better parked at the sidecar than refused.
  bool may_park() const { return may_park_; }

  // --- Of the wait, once there is a slot ---
  bool waited() const { return queued_at_ != TimePoint{}; }
  // No replica was ready when it came.
  bool was_cold() const { return was_cold_; }
  // The first that reached a replica which had been woken.
  bool first_after_wake() const { return first_after_wake_; }
  TimePoint queued_at() const { return queued_at_; }
  TimePoint granted_at() const { return granted_at_; }

 private:
  friend class Dispatcher;
  enum class State { kNew, kQueued, kGranted, kStream, kGone };

  const DispatcherPtr dispatcher_;
  // The owner has to call Leave. The owner's own.
  bool entered_ = false;
  // Guarded by the dispatcher's lock; the owner reads what its accessors show once it was told of
  // its slot, when nobody else changes it any more.
  State state_ = State::kNew;
  Ticket* next_ = nullptr;
  Ticket* previous_ = nullptr;
  Wake wake_;
  EndpointPtr endpoint_;
  const Endpoint* avoid_ = nullptr;
  bool may_park_ = false;
  bool was_cold_ = false;
  bool first_after_wake_ = false;
  TimePoint queued_at_{};
  TimePoint granted_at_{};
};

enum class Place {
  kGranted,   // ticket.endpoint() has a slot for it.
  kMustWait,  // Neither a slot nor, yet, a place in the queue.
  kQueued,
  kQueueFull,
  kGone,  // The resource was deleted.
};

// Why a slot is given back without an answer.
enum class Setback {
  kOverCapacity,  // The sidecar has no room: other gateways use it too.
  kLeaving,       // The sidecar drains.
  kUnreachable,   // No connection could be made.
  kBroke,         // The connection broke before an answer.
};

class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  struct Settings {
    size_t max_queue = 1024;     // --max-buffer-per-agent
    size_t max_sessions = 8192;  // --max-sessions-per-agent
    milliseconds min_avoid{10};  // After the first refusal; doubles with each further one.
    milliseconds max_avoid{200};
  };
  // Called when a load report is due, by the thread that noticed; `urgent`: at once. Cheap.
  using LoadListener = std::function<void(const DispatcherPtr&, bool urgent)>;

  Dispatcher(v1::ResourceKey key, Settings settings, std::shared_ptr<ResourceMetrics> metrics,
             LoadListener on_load);

  const v1::ResourceKey& key() const { return key_; }
  // Of its series, as metrics::Writer takes them.
  const std::string& label_text() const { return label_text_; }
  ResourceMetrics& metrics() const { return *metrics_; }
  const std::shared_ptr<ResourceMetrics>& shared_metrics() const { return metrics_; }
  AgentCards& cards() { return cards_; }

  // --- By the registry's thread ---
  // Returns the addresses of endpoints that are gone.
  std::vector<http::Endpoint> Update(const v1::RegistryEntry& entry,
                                     std::shared_ptr<const CallPolicy> policy, TimePoint now);
  // The resource is deleted: every waiter is woken to kGone. Requests in flight go on. Returns the
  // addresses of its endpoints.
  std::vector<http::Endpoint> Close();

  // --- By the request's worker ---
  std::shared_ptr<const CallPolicy> policy() const;
  // A slot if there is one now; never queues.
  Place TryEnter(Ticket& ticket, TimePoint now);
  // A slot, or a place at the end of the queue.
  Place Enter(Ticket& ticket, Wake wake, TimePoint now);
  // Gives the slot back for a reason and asks for another one, from the front of the queue. What
  // was avoided for being over capacity is asked again soon, see RetryAt.
  Place Reenter(Ticket& ticket, Setback setback, Wake wake, TimePoint now);
  // After a wake or a time-out. Moves the queue on if an avoided endpoint may be asked again.
  Place Check(Ticket& ticket, TimePoint now);
  // When a queued ticket should call Check without being woken; kNever: no need.
  TimePoint RetryAt(TimePoint now) const;
  bool HasReadyEndpoint() const;
  // Gives the slot, the stream or the place back. `answered`: the endpoint gave an answer.
  void Leave(Ticket& ticket, bool answered, TimePoint now);
  // The answer is a stream: the slot is free for others. False when the replica has as many streams
  // as it may; then the slot stays with the ticket.
  bool BecomeStream(Ticket& ticket, TimePoint now);
  // `to`, which is new, has from now on what `from` had at its endpoint.
  void Transfer(Ticket& from, Ticket& to) {
    const std::lock_guard lock(mutex_);
    to.state_ = std::exchange(from.state_, Ticket::State::kNew);
    to.endpoint_ = std::move(from.endpoint_);
    to.entered_ = std::exchange(from.entered_, false);
  }
  // How its replica came up; nullopt when it was not started for a waiting request.
  std::optional<StartStages> StagesOfEndpoint(const Ticket& ticket) const;
  // The answer, or the request that it answers, carried `session`.
  void LearnSession(const Ticket& ticket, std::string_view session);

  // --- By anyone ---
  v1::Route Describe() const;
  // What a load report says; means over time start anew.
  v1::QueueLoad TakeLoad(TimePoint now);
  struct Totals {
    int waiting = 0;
    int in_flight = 0;
    int streams = 0;
  };
  Totals totals() const;

 private:
  // What an operation owes once it has given the lock back.
  struct Aftermath {
    std::vector<Wake> wakes;
    // The queue has begun or ended.
    bool turned = false;
  };

  EndpointPtr Choose(const Ticket& ticket, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsServing(std::string_view instance) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TryGrant(Ticket& ticket, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Queue(Ticket& ticket, bool front, Wake wake, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unlink(Ticket& ticket, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReturnSlot(Ticket& ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteSetback(Endpoint& endpoint, Setback setback, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Aftermath Settle(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteWoken(bool was_ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AnyServes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountWaiting(int change, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Place PlaceOf(const Ticket& ticket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The queue has begun or ended since the last call: the scaler must hear of it at once, lest what
  // was granted counts as waiting beside its being in flight.
  bool QueueTurned() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Outside the lock.
  void Finish(const Aftermath& after);
  void NoteLoad(bool urgent);

  const v1::ResourceKey key_;
  const std::string label_text_;
  const Settings settings_;
  const std::shared_ptr<ResourceMetrics> metrics_;
  const LoadListener on_load_;
  AgentCards cards_;
  // A report is due and its listener knows.
  std::atomic<bool> load_noted_{false};

  mutable std::mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const CallPolicy> policy_ ABSL_GUARDED_BY(mutex_);
  std::vector<EndpointPtr> endpoints_ ABSL_GUARDED_BY(mutex_);
  SessionMap sessions_ ABSL_GUARDED_BY(mutex_);
  // Requests and streams at endpoints, also at those that the registry no longer names.
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  // The queue: a list through the tickets.
  Ticket* first_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Ticket* last_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  // At the last QueueTurned: somebody waited.
  bool had_waiting_ ABSL_GUARDED_BY(mutex_) = false;
  // ∫ waiting dt since the last report, and when it and the last change of `waiting` were.
  double waiting_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint waiting_since_ ABSL_GUARDED_BY(mutex_){};
  TimePoint reported_at_ ABSL_GUARDED_BY(mutex_){};
  // Somebody waited when no replica was ready; until one is.
  bool waking_ ABSL_GUARDED_BY(mutex_) = false;
  // A replica has just been woken; nobody has reached it yet.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace krypton::gateway
