#include "common/http/upstream.h"

#include <algorithm>
#include <utility>

namespace krypton::http {
namespace {

constexpr milliseconds kSweep{1'000};
// A connection that was in use a moment ago is taken as alive without asking.
constexpr milliseconds kFresh{20};

}  // namespace

// The edge may be that of the last answer, which a look at the wheel's time has read before: on a
// busy worker both are due in one round of the loop.
void UpstreamConnection::OnReadable() {
  if (socket.IsQuiet()) {
    socket.Listen(this);
  } else {
    pool.Remove(*this);
  }
}

Client::Pool::~Pool() { CloseAll(); }

void Client::Pool::CloseAll() {
  worker_.wheel().Disarm(*this);
  idle_.clear();
  by_age_.clear();
}

std::unique_ptr<UpstreamConnection> Client::Pool::Detach(UpstreamConnection& connection) {
  by_age_.erase(connection.age);
  Idle& idle = idle_.find(connection.address)->second;
  const auto found = std::find_if(idle.begin(), idle.end(),
                                  [&](const auto& other) { return other.get() == &connection; });
  std::unique_ptr<UpstreamConnection> detached = std::move(*found);
  idle.erase(found);
  if (idle.empty()) idle_.erase(detached->address);
  return detached;
}

void Client::Pool::Remove(UpstreamConnection& connection) { Detach(connection); }

std::unique_ptr<UpstreamConnection> Client::Pool::Take(const Endpoint& endpoint, bool careful) {
  while (true) {
    const auto found = idle_.find(endpoint.address());
    if (found == idle_.end()) return nullptr;
    Idle& idle = found->second;
    if (idle.empty()) return nullptr;
    std::unique_ptr<UpstreamConnection> connection = std::move(idle.back());
    idle.pop_back();
    by_age_.erase(connection->age);
    connection->socket.Listen(nullptr);
    const bool fresh = worker_.Now() - connection->idle_since < kFresh;
    if (careful && !fresh && connection->socket.LooksClosed()) continue;
    connection->reused = true;
    return connection;
  }
}

void Client::Pool::Give(std::unique_ptr<UpstreamConnection> connection) {
  Idle& idle = idle_[connection->address];
  if (idle.size() >= static_cast<size_t>(settings_.max_idle_per_endpoint)) return;
  connection->in.Release();
  connection->idle_since = worker_.Now();
  by_age_.push_back(connection.get());
  connection->age = std::prev(by_age_.end());
  connection->socket.Listen(connection.get());
  idle.push_back(std::move(connection));
  if (by_age_.size() > static_cast<size_t>(settings_.max_idle)) Detach(*by_age_.front());
  if (!armed()) worker_.Arm(*this, worker_.Now() + kSweep);
}

void Client::Pool::OnTimer() {
  const TimePoint oldest = worker_.Now() - settings_.idle_timeout;
  while (!by_age_.empty() && by_age_.front()->idle_since <= oldest) Detach(*by_age_.front());
  for (auto entry = idle_.begin(); entry != idle_.end();) {
    entry = entry->second.empty() ? idle_.erase(entry) : std::next(entry);
  }
  // A FIN that came together with the last answer made no edge of its own.
  std::vector<UpstreamConnection*> ended;
  for (UpstreamConnection* connection : by_age_) {
    if (worker_.Now() - connection->idle_since > 2 * kSweep) continue;
    if (connection->socket.LooksClosed()) ended.push_back(connection);
  }
  for (UpstreamConnection* connection : ended) Detach(*connection);
  if (!by_age_.empty()) worker_.Arm(*this, worker_.Now() + kSweep);
}

void Client::Pool::Forget(const std::string& address) {
  const auto found = idle_.find(address);
  if (found == idle_.end()) return;
  for (const auto& connection : found->second) by_age_.erase(connection->age);
  idle_.erase(found);
}

Task<absl::StatusOr<std::unique_ptr<UpstreamConnection>>> ConnectTo(Client::Pool& pool,
                                                                    Endpoint endpoint,
                                                                    TimePoint deadline) {
  const TimePoint limit = pool.worker().Now() + pool.settings().connect_timeout;
  absl::StatusOr<Socket> socket =
      co_await Connect(pool.worker(), endpoint.sockaddr_bytes(), std::min(limit, deadline));
  if (!socket.ok()) co_return socket.status();
  co_return std::make_unique<UpstreamConnection>(pool, endpoint.address(), std::move(*socket));
}

}  // namespace krypton::http
