// Which replica has which session: a map of bounded size that forgets what was not used for
// longest. Not thread-safe; its dispatcher's lock guards it.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace krypton::gateway {

class SessionMap {
 public:
  // Longer names of a session are not kept: visible ASCII of a sane length is what MCP demands.
  static constexpr size_t kMaxSessionBytes = 256;

  explicit SessionMap(size_t max_sessions) : max_sessions_(max_sessions) {}

  // The instance that has `session`, which counts as used; empty: not known. Valid until the map
  // changes.
  std::string_view Find(std::string_view session);
  // The first replica whose answer carried the session keeps it while `Serves` (the caller's word).
  void Learn(std::string_view session, std::string_view instance, bool replace);
  // The replica is gone.
  void Forget(std::string_view instance);

  size_t size() const { return by_session_.size(); }

 private:
  struct Entry {
    std::string session;
    std::string instance;
  };

  const size_t max_sessions_;
  std::list<Entry> by_use_;  // The most recently used first.
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_session_;
};

}  // namespace krypton::gateway
