// A client of the Kubernetes API: blocking calls over kept TLS connections, any thread. What a call
// returns is the object that the server answered, or a status as api_status.h says.
//
// Calls wait for a token of the rate limit; are tried again after broken connections (what may be
// repeated), 429 and 503 (Retry-After is honoured) with backoff and jitter; and read the token file
// again after a 401. Shutdown ends all calls, also from within them, and refuses further ones; the
// destructor requires that no call runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "boost/json/fwd.hpp"
#include "manager/platform/kubernetes/client/config.h"
#include "manager/platform/kubernetes/client/resource.h"

namespace prometheus {
class Registry;
}

namespace krypton::kube {

struct ClientSettings {
  // As client-go's rest.Config: sustained calls a second, and how many at once.
  double qps = 20;
  int burst = 30;
  // How often a call is sent at most, and the wait in between: doubles from `min_backoff` on.
  int max_attempts = 5;
  std::chrono::milliseconds min_backoff{100};
  std::chrono::milliseconds max_backoff{10'000};
  std::chrono::milliseconds connect_timeout{5'000};
  // Between two reads of an answer; the server's own limit for a request is 60 s.
  std::chrono::milliseconds request_timeout{30'000};
  size_t max_answer_bytes = 64 << 20;
  int max_idle_connections = 8;
  std::string user_agent = "krypton-manager";
  // Asked at the very end, when the connection stands and all but the body of a write is sent: not
  // OK, and the write never reaches the server. LeaderElector::CheckLeader for what only the
  // leader may do; none: every write is allowed.
  std::function<absl::Status()> write_gate;
};

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  int limit = 500;         // objects a page
  std::stop_token stop{};  // asked for: CANCELLED
};

struct WatchOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  std::chrono::seconds timeout{300};
};

struct WriteOptions {
  std::string field_manager = "krypton-manager";
  std::string subresource;  // "status", "scale"
  bool force = true;        // Apply only: take over fields that others own
  bool dry_run = false;
};

enum class PatchType { kMerge, kJson };  // RFC 7386, RFC 6902

struct DeleteOptions {
  // Refused as Conflict unless the object still is that one, in that version.
  std::string uid;
  std::string resource_version;
  std::string propagation = "Background";  // "Foreground", "Orphan"
  int grace_period_seconds = -1;           // below 0: the object's own
};

struct LogQuery {
  std::string container;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  int tail_lines = -1;     // below 0: all
  std::string since_time;  // RFC 3339, to the second; empty: from the beginning
};

class Client {
 public:
  // The series rest_client_requests_total{code,method,host} of all clients of one registry are one
  // family.
  Client(Config config, ClientSettings settings, prometheus::Registry& metrics);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Config& config() const;

  absl::StatusOr<boost::json::value> Get(const GroupVersionResource& gvr, const ObjectName& name,
                                         std::string_view subresource = {});

  // All objects, page by page, each given to `each`; returns the collection's resource version. An
  // empty namespace means all. IsGone: the pages' snapshot is too old, begin again.
  using Each = std::function<void(const boost::json::object& object)>;
  absl::StatusOr<std::string> List(const GroupVersionResource& gvr, const std::string& name_space,
                                   const ListOptions& options, const Each& each);

  // One watch from `resource_version` on, until the server ends it (OK), it breaks (UNAVAILABLE),
  // `stop` is asked for (CANCELLED), or `each` returns false (OK). Bookmarks are asked for and
  // given to `each` like other events; an event ERROR ends the watch with its status (IsGone).
  using EachEvent = std::function<bool(std::string_view type, const boost::json::object& object)>;
  absl::Status Watch(const GroupVersionResource& gvr, const std::string& name_space,
                     const WatchOptions& options, std::stop_token stop, const EachEvent& each);

  // POST. A `name` with `subresource` makes a subresource's object (bindings, token requests).
  absl::StatusOr<boost::json::value> Create(const GroupVersionResource& gvr,
                                            const std::string& name_space,
                                            const boost::json::object& object,
                                            const WriteOptions& options = {});
  // PUT. The object's metadata.resourceVersion, when set, must be the current one (IsConflict).
  absl::StatusOr<boost::json::value> Replace(const GroupVersionResource& gvr,
                                             const ObjectName& name,
                                             const boost::json::object& object,
                                             const WriteOptions& options = {});
  // Server-side apply: `object` is the whole intent of `field_manager`, with apiVersion and kind.
  absl::StatusOr<boost::json::value> Apply(const GroupVersionResource& gvr, const ObjectName& name,
                                           const boost::json::object& object,
                                           const WriteOptions& options = {});
  absl::StatusOr<boost::json::value> Patch(const GroupVersionResource& gvr, const ObjectName& name,
                                           PatchType type, const boost::json::value& patch,
                                           const WriteOptions& options = {});
  absl::Status Delete(const GroupVersionResource& gvr, const ObjectName& name,
                      const DeleteOptions& options = {});

  // What a container printed, in pieces as they come, until its end, `stop`, or `each` says false.
  absl::Status ReadLog(const ObjectName& pod, const LogQuery& query, std::stop_token stop,
                       const std::function<bool(std::string_view piece)>& each);

  void Shutdown();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::kube
