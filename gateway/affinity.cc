#include "gateway/affinity.h"

namespace krypton::gateway {

std::string_view SessionMap::Find(std::string_view session) {
  const auto found = by_session_.find(session);
  if (found == by_session_.end()) return {};
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  return found->second->instance;
}

void SessionMap::Learn(std::string_view session, std::string_view instance, bool replace) {
  if (session.empty() || session.size() > kMaxSessionBytes || max_sessions_ == 0) return;
  const auto found = by_session_.find(session);
  if (found != by_session_.end()) {
    if (replace) found->second->instance = instance;
    return;
  }
  if (by_session_.size() >= max_sessions_) {
    by_session_.erase(by_use_.back().session);
    by_use_.pop_back();
  }
  by_use_.push_front({std::string(session), std::string(instance)});
  by_session_.emplace(by_use_.front().session, by_use_.begin());
}

void SessionMap::Forget(std::string_view instance) {
  for (auto it = by_use_.begin(); it != by_use_.end();) {
    if (it->instance != instance) {
      ++it;
      continue;
    }
    by_session_.erase(it->session);
    it = by_use_.erase(it);
  }
}

}  // namespace krypton::gateway
