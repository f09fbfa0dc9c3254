// Reflector follows one collection for ever on a thread of its own: a list, then watches from its
// resource version on. A watch that the server ends in order goes on from the last version seen (of
// events and bookmarks); 410, whether as an answer or inside the stream, brings a fresh list. What
// breaks is tried again after 0.8 s, doubling to 30 s with jitter, anew after two good minutes
// (client-go tools/cache/reflector.go).
//
// The sink is called on the reflector's thread only. Stop may be called by any thread but that one,
// ends a call that hangs, and waits for the thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "boost/json/fwd.hpp"
#include "manager/platform/kubernetes/client/resource.h"

namespace krypton::kube {

class Client;

struct ReflectorSettings {
  GroupVersionResource gvr;
  std::string name_space;  // empty: all
  std::string label_selector;
  std::string field_selector;
  // A watch lasts a random time in between, so that not all end at once.
  std::chrono::seconds min_watch{300};
  std::chrono::seconds max_watch{600};
  std::chrono::milliseconds min_backoff{800};
  std::chrono::milliseconds max_backoff{30'000};
};

struct ReflectorState {
  bool synced = false;     // A list was taken over whole, at least once.
  bool connected = false;  // The last list or watch was answered; the copy is fresh.
  std::optional<std::chrono::steady_clock::time_point> cut_off_since;
  std::string last_error;
  std::string resource_version;
  uint64_t lists = 0;
  uint64_t watches = 0;
};

struct ReflectorSink {
  // A list begins; each object follows as `listed`, and `list_done(true)` when it is whole: what
  // was not listed does not exist. `list_done(false)`: it broke, and says nothing.
  std::function<void()> list_begin;
  std::function<void(const boost::json::object&)> listed;
  std::function<void(bool whole)> list_done;
  // ADDED and MODIFIED: `exists`; DELETED: not.
  std::function<void(bool exists, const boost::json::object&)> changed;
};

class Reflector {
 public:
  Reflector(Client& client, ReflectorSettings settings, ReflectorSink sink);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  void Start();
  void Stop();
  ReflectorState state() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::kube
