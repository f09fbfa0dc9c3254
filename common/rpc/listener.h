// Where the connections of a gRPC server come in. gRPC 1.51's own listener is deaf for the rest of
// the process once an accept(2) has failed for want of a file descriptor (tcp_server_posix.cc,
// on_read); this one goes on when there is one again, and leaves some to the rest of the process
// (config::TakesReserve).
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/config/address.h"

namespace krypton::rpc {

class Listener {
 public:
  // Gets each connection, a socket that does not block, on the listener's own thread.
  using Take = std::function<void(int fd)>;

  // Binds and listens: the host may be a name; empty: all interfaces. kUnavailable: why not.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const config::HostPort& address);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The one that was chosen, for port 0.
  uint16_t port() const;
  void Start(Take take);
  // No connection is accepted any more, and none given, once this has returned. Again does nothing.
  void Stop();

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::rpc
