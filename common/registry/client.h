// The client of the manager's RegistryService.Watch: keeps a copy of the registry and says what
// changed in it.
//
// One thread of the client's own keeps the stream up (backoff with jitter, 50 ms to 5 s), resumes
// from the epoch and version last applied, applies a snapshot or delta only once its last chunk is
// there, and calls the listener, one change at a time. The next message is read only when the
// listener has returned, so a slow listener slows the stream and nothing piles up. While the
// manager is gone the last copy stays. All other functions may be called by any thread. The
// destructor ends the stream; afterwards, and after Stop(), the listener is not called again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krypton/v1/registry.pb.h"

namespace grpc {
class Channel;
}

namespace krypton::registry {

using EntryPtr = std::shared_ptr<const v1::RegistryEntry>;

// One step of the registry, whole.
struct Change {
  // The step is a full snapshot: `entries` are all that there is. Its `removed` are still only
  // those that this client knew before, so a listener that applies `removed`, then `entries`, is
  // always right.
  bool full = false;
  std::vector<EntryPtr> entries;
  std::vector<v1::ResourceKey> removed;
  // All manifests refused at the moment; null: as before.
  std::shared_ptr<const v1::ManifestProblems> problems;
  std::string epoch;
  uint64_t version = 0;
  // Where the leader answers gRPC, and its term; empty and 0: as before.
  std::string leader_address;
  uint64_t term = 0;
};

// How the client stands, for readiness checks and metrics.
struct State {
  // The stream is up and the copy is whole.
  bool connected = false;
  // A snapshot was applied at least once.
  bool synced = false;
  std::string epoch;
  uint64_t version = 0;
  // Since when the copy may be stale: since the stream broke; nullopt while connected.
  std::optional<std::chrono::steady_clock::time_point> stale_since;
  // Streams that broke or could not be opened.
  uint64_t failures = 0;
  // Why the last one did; empty: none yet.
  std::string last_error;
};

struct Settings {
  // The name under which the manager logs and counts this client.
  std::string client;
  // Only these resources; empty: all.
  std::vector<v1::ResourceKey> keys;
  // design.md §4 gRPC: "Reconnection everywhere".
  std::chrono::milliseconds min_backoff{50};
  std::chrono::milliseconds max_backoff{5000};
};

class Client {
 public:
  using Listener = std::function<void(const Change&)>;

  // `channel` comes from rpc::Connect (which sets the keepalive). Nothing happens before Start().
  Client(std::shared_ptr<grpc::Channel> channel, Settings settings, Listener listener);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Start();
  // Waits until a call of the listener that runs has returned. Must not be called by the listener.
  void Stop();

  // A whole snapshot has been applied (perhaps long ago, by a manager that is gone).
  bool Synced() const;
  // Waits for that; false when `timeout` passed before.
  bool WaitSynced(std::chrono::milliseconds timeout) const;
  State state() const;

  // From the copy; null: not there.
  EntryPtr Find(const v1::ResourceKey& key) const;
  // The whole copy, in no particular order.
  std::vector<EntryPtr> Entries() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::registry
