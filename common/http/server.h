// Server: listens, reads and checks requests, and gives each that is acceptable to its handler.
// Every request that is not is answered by the error table before a handler sees it. Connections
// are handed to the workers in turn, and each lives on its one thread to its end. Created, started,
// drained and stopped from one thread that is no worker; the Workers must outlive it and be stopped
// after it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/exchange.h"
#include "common/http/task.h"
#include "common/http/workers.h"

namespace krypton::http {

// What bounds a stranger. Each default says where it comes from.
struct Limits {
  size_t max_head_bytes = 64 * 1024;             // conventions §5: 64 KiB → 431.
  size_t max_target_bytes = 8 * 1024;            // conventions §5: 8 KiB → 414.
  int max_fields = 200;                          // Apache has 100, nginx none; 431.
  uint64_t max_body_bytes = uint64_t{1} << 40;   // A proxy holds no body: only a sanity bound; 413.
  size_t max_chunk_extension_bytes = 16 * 1024;  // A message; conventions §5.
  size_t max_trailer_bytes = 16 * 1024;          // As much.
  milliseconds head_timeout{10'000};             // conventions §5: 10 s → 408.
  milliseconds body_timeout{60'000};   // Between two pieces of a body (nginx: 60 s) → 408.
  milliseconds write_timeout{60'000};  // A client that takes nothing (nginx send_timeout).
  milliseconds idle_timeout{300'000};  // Between requests; above AWS ALB's and GKE's reuse.
  int max_connections = 65'536;        // Of the process, shared out among the workers.
  milliseconds disconnect_check{10};   // A request in flight longer watches its client.
  size_t replay_bytes = 64 * 1024;     // design §5: what is held of a body for a second try.
};

struct ServerSettings {
  std::string bind_address = "127.0.0.1:0";  // HOST:PORT, or the path of a Unix socket ("/...").
  Limits limits;
  std::string server_name;  // Value of a Server field in our own answers; none when empty.
  // Called at the end of each exchange, also of those refused before a handler saw them (their
  // request() may be empty). On the worker.
  std::function<void(const Exchange&)> on_end;
};

using Handler = std::function<Task<void>(Exchange&)>;

class Server {
 public:
  Server(Workers& workers, ServerSettings settings, Handler handler);
  ~Server();

  // Binds and listens on each worker. Requires: the workers run. The address that was bound,
  // "127.0.0.1:40123"; a port in use is an error that names it.
  absl::StatusOr<std::string> Start();

  // Serves one end of a socket pair, non-blocking, as if `peer` had connected (local_call.h). On
  // `worker`.
  void Adopt(Worker& worker, int fd, std::string peer);

  // From now on answers carry `Connection: close`, and idle connections are closed. Returns at
  // once. With `keep_listening` new connections are still served, and idle ones stay until the call
  // without it (a gateway whose load balancer learns).
  void BeginDrain(bool keep_listening = false);
  // Stops listening, waits for requests in flight until `soft_deadline`; then ends streams by their
  // protocol (Cancelled::kDraining) and waits until `hard_deadline`; then closes all. True when all
  // ended before the hard one. Blocks; not from a worker.
  bool Drain(TimePoint soft_deadline, TimePoint hard_deadline);
  // Closes all now. Also done by the destructor.
  void Stop();

  int64_t connections() const;
  int64_t requests_in_flight() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::http
