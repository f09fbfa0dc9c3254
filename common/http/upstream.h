// UpstreamConnection and Client::Pool: the connections of one worker to endpoints. Internal to
// common/http. A connection is either lent (a unique_ptr with whoever uses it) or idle in the pool,
// which then listens for its end.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/http/buffer.h"
#include "common/http/client.h"
#include "common/http/socket.h"

namespace krypton::http {

struct UpstreamConnection final : ReadListener {
  UpstreamConnection(Client::Pool& owner, std::string endpoint, Socket connected)
      : pool(owner), address(std::move(endpoint)), socket(std::move(connected)) {}

  void OnReadable() override;  // While idle: it ended, or it speaks out of turn.

  Client::Pool& pool;
  const std::string address;
  Socket socket;
  Buffer in;
  ResponseHead head;  // Of the last answer; kept for its memory.
  TimePoint idle_since{};
  bool reused = false;
  std::list<UpstreamConnection*>::iterator age;  // Place in the pool's order of idleness.
};

class Client::Pool final : TimerNode {
 public:
  Pool(Worker& worker, const ClientSettings& settings) : worker_(worker), settings_(settings) {}
  ~Pool();

  // The most recently used idle connection to the endpoint, or null. `careful`: looks first whether
  // it has ended (for requests that must not be sent twice).
  std::unique_ptr<UpstreamConnection> Take(const Endpoint& endpoint, bool careful);
  // Keeps the connection for the next request.
  void Give(std::unique_ptr<UpstreamConnection> connection);
  void Forget(const std::string& address);
  void Remove(UpstreamConnection& connection);
  void CloseAll();

  Worker& worker() { return worker_; }
  const ClientSettings& settings() const { return settings_; }

 private:
  using Idle = std::vector<std::unique_ptr<UpstreamConnection>>;

  void OnTimer() override;  // Sweeps what has been idle for too long.
  std::unique_ptr<UpstreamConnection> Detach(UpstreamConnection& connection);

  Worker& worker_;
  const ClientSettings& settings_;
  std::unordered_map<std::string, Idle> idle_;
  std::list<UpstreamConnection*> by_age_;  // Longest idle first.
};

// A new connection to the endpoint.
Task<absl::StatusOr<std::unique_ptr<UpstreamConnection>>> ConnectTo(Client::Pool& pool,
                                                                    Endpoint endpoint,
                                                                    TimePoint deadline);

}  // namespace krypton::http
