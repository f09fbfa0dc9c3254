#include "proxy/limiter.h"

#include <utility>

namespace krypton::proxy {

// What has to run once the mutex is free again.
struct Limiter::Wakeups {
  std::function<void()> parked;
  std::vector<std::function<void()>> idle;

  void Run() const {
    if (parked) parked();
    for (const auto& call : idle) call();
  }
};

Limiter::Slot& Limiter::Slot::operator=(Slot&& other) noexcept {
  if (this == &other) return *this;
  Release();
  limiter_ = std::exchange(other.limiter_, nullptr);
  stream_ = other.stream_;
  return *this;
}

void Limiter::Slot::Release() {
  if (Limiter* limiter = std::exchange(limiter_, nullptr)) limiter->GiveBack(stream_);
}

bool Limiter::Slot::BecomeStream() {
  if (stream_) return true;
  if (!limiter_->TakeStream()) return false;
  stream_ = true;
  limiter_->GiveBack(/*stream=*/false);
  return true;
}

Limiter::Parked::~Parked() { limiter_.Leave(*this); }

Limiter::Parked::Outcome Limiter::Parked::Take() {
  const std::lock_guard lock(limiter_.mutex_);
  Outcome outcome;
  outcome.refusal = refusal_;
  if (std::exchange(granted_, false)) outcome.slot = Slot(&limiter_);
  return outcome;
}

Limiter::Limiter(Settings settings, Clock clock)
    : settings_(settings),
      clock_(std::move(clock)),
      in_flight_mean_(clock_()),
      parked_mean_(clock_()),
      window_start_(clock_()) {}

std::pair<Limiter::Slot, std::optional<Refusal>> Limiter::TryAcquire() {
  const std::lock_guard lock(mutex_);
  if (closed_) return {Slot(), Refusal::kShuttingDown};
  if (in_flight_ >= settings_.concurrency) return {Slot(), Refusal::kOverCapacity};
  ++in_flight_;
  ++requests_total_;
  in_flight_mean_.Set(clock_(), in_flight_);
  return {Slot(this), std::nullopt};
}

std::unique_ptr<Limiter::Parked> Limiter::Park(std::function<void()> wake) {
  auto parked = std::make_unique<Parked>(*this, std::move(wake));
  Wakeups wakeups;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      parked->refusal_ = Refusal::kShuttingDown;
      wakeups.parked = std::move(parked->wake_);
    } else if (in_flight_ < settings_.concurrency) {
      // A slot became free since TryAcquire.
      ++in_flight_;
      in_flight_mean_.Set(clock_(), in_flight_);
      wakeups.parked = Grant(*parked);
    } else if (parked_.size() < static_cast<std::size_t>(settings_.concurrency)) {
      parked->place_ = parked_.insert(parked_.end(), parked.get());
      parked_mean_.Set(clock_(), static_cast<int>(parked_.size()));
    } else {
      return nullptr;
    }
  }
  wakeups.Run();
  return parked;
}

void Limiter::Close() {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (Parked* parked : parked_) {
      parked->place_.reset();
      parked->refusal_ = Refusal::kShuttingDown;
      calls.push_back(std::move(parked->wake_));
    }
    parked_.clear();
    parked_mean_.Set(clock_(), 0);
  }
  for (const auto& call : calls) call();
}

void Limiter::WhenIdle(std::function<void()> idle) {
  {
    const std::lock_guard lock(mutex_);
    if (in_flight_ > 0) {
      when_idle_.push_back(std::move(idle));
      return;
    }
  }
  idle();
}

bool Limiter::HasRoomForStream() const {
  const std::lock_guard lock(mutex_);
  return streams_ < settings_.max_streams;
}

Limiter::Load Limiter::load() const {
  const std::lock_guard lock(mutex_);
  return {.in_flight = in_flight_,
          .parked = static_cast<int>(parked_.size()),
          .streams = streams_,
          .requests_total = requests_total_};
}

Limiter::Means Limiter::TakeMeans() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_();
  return {.in_flight = in_flight_mean_.Take(now),
          .parked = parked_mean_.Take(now),
          .window = now - std::exchange(window_start_, now)};
}

bool Limiter::TakeStream() {
  const std::lock_guard lock(mutex_);
  if (streams_ >= settings_.max_streams) return false;
  ++streams_;
  return true;
}

void Limiter::GiveBack(bool stream) {
  Wakeups wakeups;
  {
    const std::lock_guard lock(mutex_);
    if (stream) {
      --streams_;
      return;
    }
    wakeups = FreeSlot();
  }
  wakeups.Run();
}

void Limiter::Leave(Parked& parked) {
  Wakeups wakeups;
  {
    const std::lock_guard lock(mutex_);
    if (parked.place_.has_value()) {
      parked_.erase(*parked.place_);
      parked_mean_.Set(clock_(), static_cast<int>(parked_.size()));
    }
    if (std::exchange(parked.granted_, false)) wakeups = FreeSlot();
  }
  wakeups.Run();
}

// The slot stays taken, by `parked` now.
std::function<void()> Limiter::Grant(Parked& parked) {
  parked.place_.reset();
  parked.granted_ = true;
  ++requests_total_;
  return std::move(parked.wake_);
}

Limiter::Wakeups Limiter::FreeSlot() {
  Wakeups wakeups;
  if (!parked_.empty()) {
    Parked& next = *parked_.front();
    parked_.pop_front();
    parked_mean_.Set(clock_(), static_cast<int>(parked_.size()));
    wakeups.parked = Grant(next);
    return wakeups;
  }
  --in_flight_;
  in_flight_mean_.Set(clock_(), in_flight_);
  if (in_flight_ == 0) wakeups.idle = std::exchange(when_idle_, {});
  return wakeups;
}

}  // namespace krypton::proxy
