#include "proxy/prober.h"

#include <algorithm>
#include <utility>

namespace krypton::proxy {

Prober::Prober(http::Worker& worker, http::Client& client, http::Endpoint agent, Settings settings,
               std::function<void(bool ready)> on_change)
    : worker_(worker),
      client_(client),
      agent_(std::move(agent)),
      settings_(std::move(settings)),
      on_change_(std::move(on_change)),
      hurry_(worker) {}

void Prober::Start() {
  worker_.Post([this] { worker_.Spawn(Run()); });
}

void Prober::Stop() {
  worker_.Post([this] {
    stopping_ = true;
    hurry_.Set();
  });
}

void Prober::Suspect() {
  worker_.Post([this] { hurry_.Set(); });
}

// A thousandth of the time that it has taken so far, so that a model that loads for ten minutes is
// not asked a hundred thousand times.
std::chrono::milliseconds Prober::Pause(http::Clock::duration so_far) const {
  const auto share = std::chrono::duration_cast<std::chrono::milliseconds>(so_far / 1000);
  return std::clamp(share, settings_.interval, 10 * settings_.interval);
}

http::Task<void> Prober::Run() {
  unready_since_ = http::Clock::now();
  while (!stopping_) {
    const bool ready = co_await Probe();
    if (stopping_) co_return;
    if (ready != ready_) {
      ready_ = ready;
      unready_since_ = http::Clock::now();
      on_change_(ready);
    }
    if (ready_) {
      co_await hurry_.Wait(http::Clock::now() + settings_.watch_interval);
    } else {
      // Not an Event: the wheel's 10 ms would be too coarse.
      co_await worker_.Sleep(Pause(http::Clock::now() - unready_since_));
    }
  }
}

http::Task<bool> Prober::Probe() {
  if (!settings_.ready_path.empty() && !ready_) {
    http::Client::Request request;
    request.target = settings_.ready_path;
    const http::TimePoint deadline = http::Clock::now() + settings_.timeout;
    const auto response = co_await client_.Call(agent_, std::move(request), deadline);
    co_return response.ok() && response->head.status / 100 == 2;
  }
  const absl::Status status = co_await client_.Probe(agent_, settings_.timeout);
  // Slow is not closed: an agent whose backlog is full is busy.
  co_return status.ok() || (ready_ && absl::IsDeadlineExceeded(status));
}

}  // namespace krypton::proxy
