#include "gateway/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"

namespace krypton::gateway {
namespace {

double Seconds(http::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Ticket::~Ticket() {
  if (entered_) dispatcher_->Leave(*this, /*answered=*/false, http::Clock::now());
}

Dispatcher::Dispatcher(v1::ResourceKey key, Settings settings,
                       std::shared_ptr<ResourceMetrics> metrics, LoadListener on_load)
    : key_(std::move(key)),
      label_text_(metrics::LabelText({{"agent", key_.name()}, {"namespace", key_.namespace_()}})),
      settings_(settings),
      metrics_(std::move(metrics)),
      on_load_(std::move(on_load)),
      policy_(std::make_shared<CallPolicy>()),
      sessions_(settings.max_sessions),
      random_(absl::Uniform<uint32_t>(absl::BitGen())) {}

// ---- The registry's thread ----

std::vector<http::Endpoint> Dispatcher::Update(const v1::RegistryEntry& entry,
                                               std::shared_ptr<const CallPolicy> policy,
                                               TimePoint now) {
  std::vector<http::Endpoint> gone;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    policy_ = std::move(policy);
    const bool was_ready = AnyServes();
    std::vector<EndpointPtr> merged = MergeEndpoints(endpoints_, entry.endpoints());
    for (const EndpointPtr& endpoint : endpoints_) {
      if (std::ranges::find(merged, endpoint) != merged.end()) continue;
      endpoint->load.ready = false;
      sessions_.Forget(endpoint->instance);
      gone.push_back(endpoint->address);
    }
    endpoints_ = std::move(merged);
    NoteWoken(was_ready);
    after = Settle(now);
  }
  Finish(after);
  return gone;
}

void Dispatcher::NoteWoken(bool was_ready) {
  if (was_ready || !waking_ || !AnyServes()) return;
  waking_ = false;
  woken_ = true;
  metrics_->CountColdStart();
  for (const EndpointPtr& endpoint : endpoints_) {
    if (!endpoint->load.Serves()) continue;
    if (const auto stages = StagesOf(*endpoint)) metrics_->ObserveStart(*stages);
    break;
  }
}

std::vector<http::Endpoint> Dispatcher::Close() {
  std::vector<http::Endpoint> gone;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (const EndpointPtr& endpoint : endpoints_) {
      endpoint->load.ready = false;
      gone.push_back(endpoint->address);
    }
    endpoints_.clear();
    while (first_ != nullptr) {
      Ticket& ticket = *first_;
      after.wakes.push_back(ticket.wake_);
      Unlink(ticket, http::Clock::now());
      ticket.state_ = Ticket::State::kGone;
    }
  }
  Finish(after);
  return gone;
}

// ---- A request's worker ----

std::shared_ptr<const CallPolicy> Dispatcher::policy() const {
  std::lock_guard lock(mutex_);
  return policy_;
}

Place Dispatcher::TryEnter(Ticket& ticket, TimePoint now) {
  Place place;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return Place::kGone;
    if (waiting_ > 0) after = Settle(now);  // Nobody overtakes those who wait.
    ticket.entered_ = TryGrant(ticket, now);
    place = ticket.entered_ ? Place::kGranted : Place::kMustWait;
  }
  Finish(after);
  return place;
}

Place Dispatcher::Enter(Ticket& ticket, Wake wake, TimePoint now) {
  Place place = TryEnter(ticket, now);
  if (place != Place::kMustWait) return place;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return Place::kGone;
    if (static_cast<size_t>(waiting_) >= settings_.max_queue) return Place::kQueueFull;
    ticket.entered_ = true;
    Queue(ticket, /*front=*/false, std::move(wake), now);
    after = Settle(now);  // A slot may have come free in between.
    place = PlaceOf(ticket);
  }
  Finish(after);
  return place;
}

Place Dispatcher::Reenter(Ticket& ticket, Setback setback, Wake wake, TimePoint now) {
  Place place;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    NoteSetback(*ticket.endpoint_, setback, now);
    if (setback == Setback::kUnreachable || setback == Setback::kBroke) {
      ticket.avoid_ = ticket.endpoint_.get();
    }
    ReturnSlot(ticket);
    if (closed_) {
      ticket.state_ = Ticket::State::kGone;
      return Place::kGone;
    }
    Queue(ticket, /*front=*/true, std::move(wake), now);
    after = Settle(now);
    place = PlaceOf(ticket);
  }
  Finish(after);
  return place;
}

Place Dispatcher::Check(Ticket& ticket, TimePoint now) {
  Place place;
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    after = Settle(now);
    place = PlaceOf(ticket);
  }
  Finish(after);
  return place;
}

TimePoint Dispatcher::RetryAt(TimePoint now) const {
  std::lock_guard lock(mutex_);
  return NextRetry(endpoints_, now);
}

bool Dispatcher::HasReadyEndpoint() const {
  std::lock_guard lock(mutex_);
  return AnyServes();
}

void Dispatcher::Leave(Ticket& ticket, bool answered, TimePoint now) {
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    if (answered && ticket.endpoint_ != nullptr) {
      ticket.endpoint_->load.refusals = 0;
      ticket.endpoint_->load.avoid_until = {};
    }
    if (ticket.state_ == Ticket::State::kQueued) {
      const bool was_first = &ticket == first_;
      Unlink(ticket, now);
      // Whoever is first now has to look after the avoided endpoints: it may have a later time-out.
      if (was_first && first_ != nullptr) after.wakes.push_back(first_->wake_);
      after.turned = QueueTurned();
    } else {
      ReturnSlot(ticket);
      after = Settle(now);
    }
    ticket.state_ = Ticket::State::kNew;
    ticket.entered_ = false;
  }
  Finish(after);
}

bool Dispatcher::BecomeStream(Ticket& ticket, TimePoint now) {
  Aftermath after;
  {
    std::lock_guard lock(mutex_);
    if (ticket.state_ != Ticket::State::kGranted) return ticket.state_ == Ticket::State::kStream;
    Endpoint& endpoint = *ticket.endpoint_;
    if (endpoint.load.streams >= policy_->max_streams) return false;
    --endpoint.load.in_flight;
    --in_flight_;
    ++endpoint.load.streams;
    ++streams_;
    ticket.state_ = Ticket::State::kStream;
    after = Settle(now);
  }
  Finish(after);
  return true;
}

void Dispatcher::LearnSession(const Ticket& ticket, std::string_view session) {
  std::lock_guard lock(mutex_);
  const std::string_view known = sessions_.Find(session);
  const bool replace = !known.empty() && !IsServing(known);
  sessions_.Learn(session, ticket.endpoint_->instance, replace);
}

std::optional<StartStages> Dispatcher::StagesOfEndpoint(const Ticket& ticket) const {
  std::lock_guard lock(mutex_);
  return StagesOf(*ticket.endpoint_);
}

// ---- Under the lock ----

EndpointPtr Dispatcher::Choose(const Ticket& ticket, TimePoint now) {
  Wish wish{.pinned = {}, .stream = ticket.wants_stream, .avoid = ticket.avoid_};
  if (!ticket.session.empty()) wish.pinned = sessions_.Find(ticket.session);
  random_ = random_ * 1664525 + 1013904223;
  return ChooseEndpoint(endpoints_, wish, policy_->max_streams, now, random_ >> 8);
}

bool Dispatcher::IsServing(std::string_view instance) const {
  return std::ranges::any_of(endpoints_, [&](const EndpointPtr& endpoint) {
    return endpoint->instance == instance && endpoint->load.Serves();
  });
}

bool Dispatcher::TryGrant(Ticket& ticket, TimePoint now) {
  EndpointPtr endpoint = Choose(ticket, now);
  if (endpoint == nullptr) return false;
  ticket.state_ = Ticket::State::kGranted;
  ticket.granted_at_ = now;
  ticket.may_park_ = !AnyFree(endpoints_, now, endpoint.get());
  ticket.first_after_wake_ = std::exchange(woken_, false);
  ++endpoint->load.in_flight;
  ++in_flight_;
  ticket.endpoint_ = std::move(endpoint);
  return true;
}

void Dispatcher::Queue(Ticket& ticket, bool front, Wake wake, TimePoint now) {
  const bool ready = AnyServes();
  waking_ |= !ready;
  if (!ticket.waited()) {
    ticket.queued_at_ = now;
    ticket.was_cold_ = !ready;
  }
  ticket.state_ = Ticket::State::kQueued;
  ticket.wake_ = std::move(wake);
  ticket.next_ = front ? first_ : nullptr;
  ticket.previous_ = front ? nullptr : last_;
  (ticket.next_ != nullptr ? ticket.next_->previous_ : last_) = &ticket;
  (ticket.previous_ != nullptr ? ticket.previous_->next_ : first_) = &ticket;
  CountWaiting(+1, now);
}

void Dispatcher::Unlink(Ticket& ticket, TimePoint now) {
  (ticket.next_ != nullptr ? ticket.next_->previous_ : last_) = ticket.previous_;
  (ticket.previous_ != nullptr ? ticket.previous_->next_ : first_) = ticket.next_;
  ticket.next_ = ticket.previous_ = nullptr;
  CountWaiting(-1, now);
}

void Dispatcher::ReturnSlot(Ticket& ticket) {
  if (ticket.state_ == Ticket::State::kGranted) {
    --ticket.endpoint_->load.in_flight;
    --in_flight_;
  } else if (ticket.state_ == Ticket::State::kStream) {
    --ticket.endpoint_->load.streams;
    --streams_;
  }
}

void Dispatcher::NoteSetback(Endpoint& endpoint, Setback setback, TimePoint now) {
  Endpoint::Load& load = endpoint.load;
  if (setback == Setback::kBroke) return;
  if (setback == Setback::kLeaving) {
    load.leaving = true;
    return;
  }
  const int doublings = std::min(load.refusals++, 16);
  load.avoid_until =
      now + std::min<milliseconds>(settings_.min_avoid * (1 << doublings), settings_.max_avoid);
}

// Gives what is free to those who wait, in their order. One whose session's replica is busy does
// not hold up those behind it.
Dispatcher::Aftermath Dispatcher::Settle(TimePoint now) {
  Aftermath after;
  for (Ticket* ticket = first_; ticket != nullptr && AnyFree(endpoints_, now, nullptr);) {
    Ticket* const next = ticket->next_;
    if (TryGrant(*ticket, now)) {
      Unlink(*ticket, now);
      after.wakes.push_back(std::move(ticket->wake_));
    }
    ticket = next;
  }
  after.turned = QueueTurned();
  return after;
}

bool Dispatcher::AnyServes() const {
  return std::ranges::any_of(endpoints_,
                             [](const EndpointPtr& endpoint) { return endpoint->load.Serves(); });
}

Place Dispatcher::PlaceOf(const Ticket& ticket) const {
  switch (ticket.state_) {
    case Ticket::State::kGranted:
    case Ticket::State::kStream:
      return Place::kGranted;
    case Ticket::State::kQueued:
      return Place::kQueued;
    case Ticket::State::kGone:
      return Place::kGone;
    case Ticket::State::kNew:
      break;
  }
  return Place::kMustWait;
}

// ---- What is said of it ----

void Dispatcher::CountWaiting(int change, TimePoint now) {
  // Another thread may have looked at the clock first and come here second.
  now = std::max(now, waiting_since_);
  if (waiting_ > 0) waiting_seconds_ += waiting_ * Seconds(now - waiting_since_);
  waiting_since_ = now;
  waiting_ += change;
}

bool Dispatcher::QueueTurned() {
  return std::exchange(had_waiting_, waiting_ > 0) != (waiting_ > 0);
}

void Dispatcher::Finish(const Aftermath& after) {
  for (const Wake& wake : after.wakes) wake();
  NoteLoad(/*urgent=*/after.turned);
}

void Dispatcher::NoteLoad(bool urgent) {
  if (!urgent && load_noted_.load(std::memory_order_relaxed)) return;
  load_noted_.store(true, std::memory_order_release);
  on_load_(shared_from_this(), urgent);
}

v1::QueueLoad Dispatcher::TakeLoad(TimePoint now) {
  load_noted_.store(false, std::memory_order_release);
  std::lock_guard lock(mutex_);
  CountWaiting(0, now);
  const double window = Seconds(now - reported_at_);
  v1::QueueLoad load;
  *load.mutable_key() = key_;
  load.set_waiting(waiting_);
  load.set_in_flight(in_flight_);
  load.set_waiting_mean(window > 0 ? waiting_seconds_ / window : waiting_);
  waiting_seconds_ = 0;
  reported_at_ = now;
  return load;
}

Dispatcher::Totals Dispatcher::totals() const {
  std::lock_guard lock(mutex_);
  return {.waiting = waiting_, .in_flight = in_flight_, .streams = streams_};
}

v1::Route Dispatcher::Describe() const {
  std::lock_guard lock(mutex_);
  v1::Route route;
  *route.mutable_key() = key_;
  for (const EndpointPtr& endpoint : endpoints_) {
    v1::RouteEndpoint& described = *route.add_endpoints();
    *described.mutable_endpoint() = endpoint->registered;
    described.set_in_flight(endpoint->load.in_flight);
    described.set_streams(endpoint->load.streams);
  }
  route.set_in_flight(in_flight_);
  route.set_queued(waiting_);
  route.set_queue_capacity(static_cast<int32_t>(settings_.max_queue));
  return route;
}

}  // namespace krypton::gateway
