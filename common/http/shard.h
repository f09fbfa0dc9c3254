// ServerShard: the part of a Server that lives on one worker: its connections, the recycled states
// of requests, and the values that are the same for all. Internal to common/http.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/connection.h"
#include "common/http/server.h"

namespace krypton::http {

class ServerShard {
 public:
  ServerShard(Worker& owner, const ServerSettings& server_settings, const Handler& server_handler)
      : worker(owner), settings(server_settings), handler(server_handler) {}

  // Serves an accepted, non-blocking socket.
  void Adopt(int fd, std::string peer);
  void Add(ConnectionCore& connection);
  void Remove(ConnectionCore& connection);
  // Tells every connection. `reason` kNo: close the idle ones only.
  void ShutAll(Cancelled reason);

  std::unique_ptr<RequestState> TakeState(ConnectionCore& core);
  void GiveState(std::unique_ptr<RequestState> state);

  Worker& worker;
  const ServerSettings& settings;
  const Handler& handler;
  bool draining = false;                // Answers carry Connection: close.
  std::atomic<int64_t> connections{0};  // Counted by whoever accepts, before Adopt.
  std::atomic<int64_t> in_flight{0};

 private:
  ConnectionCore* first_ = nullptr;
  std::vector<std::unique_ptr<RequestState>> free_states_;
};

}  // namespace krypton::http
