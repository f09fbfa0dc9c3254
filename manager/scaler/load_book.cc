#include "manager/scaler/load_book.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace krypton::scaler {

void LoadBook::SetReplicas(const std::vector<NamedReplica>& replicas, bool known_before) {
  absl::flat_hash_set<absl::string_view> names;
  for (const NamedReplica& named : replicas) names.insert(named.instance);
  absl::erase_if(replicas_, [&](const auto& item) {
    return item.second.named && !names.contains(item.first);
  });
  for (const NamedReplica& named : replicas) {
    Replica& replica = replicas_[named.instance];
    replica.named = true;
    replica.draining = named.draining;
    replica.known_before = replica.known_before || known_before;
  }
  known_before_ = known_before_ || (known_before && !replicas.empty());
}

void LoadBook::ReportReplica(absl::string_view instance, TimePoint now, double in_flight,
                             TimePoint last_active) {
  auto found = replicas_.find(instance);
  if (found == replicas_.end()) {
    const auto unknown = std::count_if(replicas_.begin(), replicas_.end(),
                                       [](const auto& item) { return !item.second.named; });
    if (static_cast<size_t>(unknown) >= settings_.max_unknown_replicas) return;
    found = replicas_.try_emplace(std::string(instance)).first;
  }
  Replica& replica = found->second;
  replica.in_flight = in_flight;
  replica.last_active = std::max(replica.last_active, last_active);
  TouchReplica(instance, now);
}

void LoadBook::TouchReplica(absl::string_view instance, TimePoint now) {
  const auto found = replicas_.find(instance);
  if (found == replicas_.end()) return;
  Source& heard = found->second.heard;
  if (!found->second.reported() || IsExpired(heard, now)) heard.first_seen = now;
  heard.last_seen = now;
}

void LoadBook::ReportQueue(absl::string_view gateway, SourcePtr source, int waiting,
                           int in_flight) {
  if (waiting == 0 && in_flight == 0) {
    gateways_.erase(gateway);
    return;
  }
  if (!gateways_.contains(gateway) && gateways_.size() >= settings_.max_gateways) return;
  gateways_[gateway] = {std::move(source), waiting, in_flight};
}

Load LoadBook::Sum(TimePoint now, TimePoint settled_since) {
  Load load;
  bool any_expired = false;
  bool called = false;
  for (const auto& [gateway, queue] : gateways_) {
    if (IsExpired(*queue.source, now)) {
      any_expired = true;
      continue;
    }
    load.waiting += queue.waiting;
    called = called || queue.in_flight > 0;
    load.sources += 1;
    if (now - queue.source->last_seen > settings_.silent_after) load.silent_sources += 1;
  }
  for (const auto& [instance, replica] : replicas_) {
    const bool lost = IsLost(replica, now);
    if (!replica.named) {
      any_expired = any_expired || lost;
      continue;
    }
    load.last_active = std::max(load.last_active, replica.last_active);
    if (replica.known_before && settled_since != TimePoint::max() &&
        (!replica.reported() || replica.heard.first_seen > settled_since)) {
      load.unsettled = true;
    }
    if (lost) continue;
    load.sources += 1;
    if (!replica.draining) load.in_flight += replica.in_flight;
    if (now - replica.heard.last_seen > settings_.silent_after) load.silent_sources += 1;
  }
  if (any_expired) Expire(now);
  // A call that has just left the queue is in flight at the gateway before its sidecar says so.
  if (load.demand() > 0 || called) load.last_active = now;
  return load;
}

bool LoadBook::IsExpired(const Source& source, TimePoint now) const {
  return now - source.last_seen > settings_.expire_after;
}

bool LoadBook::IsLost(const Replica& replica, TimePoint now) const {
  return !replica.reported() || IsExpired(replica.heard, now);
}

void LoadBook::Expire(TimePoint now) {
  absl::erase_if(gateways_, [&](const auto& item) { return IsExpired(*item.second.source, now); });
  absl::erase_if(replicas_,
                 [&](const auto& item) { return !item.second.named && IsLost(item.second, now); });
}

int LoadBook::replicas() const {
  return static_cast<int>(std::count_if(replicas_.begin(), replicas_.end(),
                                        [](const auto& item) { return item.second.named; }));
}

}  // namespace krypton::scaler
