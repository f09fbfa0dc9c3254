#include "manager/controller/controller.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "common/log/log.h"
#include "manager/controller/status.h"
#include "manager/proto_time.h"

namespace krypton::manager {
namespace {

using platform::ReplicaPhase;

// Its other kind with the same name.
v1::ResourceKey Namesake(v1::ResourceKey key) {
  key.set_kind(key.kind() == v1::RESOURCE_KIND_AGENT ? v1::RESOURCE_KIND_MODEL
                                                     : v1::RESOURCE_KIND_AGENT);
  return key;
}

bool CreatedBefore(const resource::Resource& a, const resource::Resource& b) {
  return FromProto(a.metadata().creation_timestamp()) <
         FromProto(b.metadata().creation_timestamp());
}

}  // namespace

Controller::Controller(ControllerSettings settings, Clock clock, RegistryStore& store,
                       Leadership& leadership, prometheus::Registry& metrics)
    : settings_(std::move(settings)),
      clock_(std::move(clock)),
      store_(store),
      leadership_(leadership),
      metrics_(metrics) {}

Controller::~Controller() = default;

ResourceState* Controller::Find(const v1::ResourceKey& key) {
  const auto found = resources_.find(key);
  return found == resources_.end() ? nullptr : found->second.get();
}

void Controller::SetPlatform(platform::Platform& platform) {
  std::lock_guard lock(mutex_);
  platform_ = &platform;
}

bool Controller::synced() const {
  std::lock_guard lock(mutex_);
  return synced_;
}

void Controller::OnLeadership(bool leader, uint64_t term, std::string leader_address) {
  const Leadership::View view{leader, term, std::move(leader_address)};
  {
    std::lock_guard lock(mutex_);
    if (!leadership_.Set(view)) return;
    metrics_.SetLeader(leader);
    log::Info(leader ? "leads" : "follows", {{"term", term}, {"leader", view.address}});
    store_.SetLeader(view.address, term);
    term_ = term;
    if (std::exchange(leads_, leader) != leader && synced_) leader ? TakeUp() : StandBack();
  }
  if (settings_.on_leadership) settings_.on_leadership(view);
}

void Controller::TakeUp() {
  for (auto& [key, state] : resources_) {
    state->told_status.reset();
    SetDesired(*state, state->conflict.has_value() ? 0 : AdoptedDesired(*state));
    Publish(*state);
  }
}

void Controller::StandBack() {
  for (auto& [key, state] : resources_) {
    state->TakeObserved();
    Publish(*state);
  }
}

void Controller::OnResource(std::shared_ptr<const resource::Resource> resource) {
  std::lock_guard lock(mutex_);
  const v1::ResourceKey key = resource->key();
  auto& slot = resources_[key];
  const bool is_new = slot == nullptr;
  if (is_new) {
    slot = std::make_unique<ResourceState>();
    log::Debug("resource declared", {{"kind", resource::KindWord(key.kind())},
                                     {"agent", resource::ToString(key)},
                                     {"generation", resource->generation()}});
  }
  ResourceState& state = *slot;
  state.resource = std::move(resource);
  if (is_new || !leads_) state.TakeObserved();
  metrics_.SetResources(resources_.size());
  ResolveName(key);
  if (state.conflict.has_value()) {
    SetDesired(state, 0);
  } else if (!leads_) {
    // As the leader said.
  } else if (is_new) {
    SetDesired(state, InitialDesired(state));
  } else {
    const int floor = state.resource->floor_replicas();
    const int desired =
        std::clamp(state.desired, floor, std::max(floor, state.resource->max_replicas()));
    SetDesired(state, settings_.scaler_enabled ? desired : InitialDesired(state));
  }
  Publish(state);
}

// Of an agent and a model with one name, the one that was created first is run.
void Controller::ResolveName(const v1::ResourceKey& key) {
  ResourceState* state = Find(key);
  ResourceState* other = Find(Namesake(key));
  if (state == nullptr && other != nullptr && other->conflict.has_value()) {
    other->conflict.reset();
    SetDesired(*other, InitialDesired(*other));
    Publish(*other);
  }
  if (state == nullptr || other == nullptr) {
    if (state != nullptr) state->conflict.reset();
    return;
  }
  const bool first = CreatedBefore(*state->resource, *other->resource) && !state->conflict;
  ResourceState& later = first ? *other : *state;
  ResourceState& earlier = first ? *state : *other;
  earlier.conflict.reset();
  if (later.conflict.has_value()) return;
  later.conflict = earlier.resource->key();
  log::Warn("name conflict", {{"refused", resource::Describe(later.resource->key())},
                              {"existing", resource::Describe(earlier.resource->key())}});
  SetDesired(later, 0);
  Publish(later);
}

// Without a word from the scaler yet.
int Controller::InitialDesired(const ResourceState& state) const {
  const int floor = state.resource->floor_replicas();
  if (settings_.scaler_enabled || state.resource->scaled_by_others()) return floor;
  return std::max(floor, 1);
}

// What runs already, or was about to, goes on; the scaler knows better once it has heard of the
// load. Where no scaler has a say, nobody would: there it is the spec's. While a roll is under way,
// old and new replicas stand for one another.
int Controller::AdoptedDesired(const ResourceState& state) const {
  if (!settings_.scaler_enabled || state.resource->scaled_by_others()) return InitialDesired(state);
  int current = 0;
  int older = 0;
  for (const ReplicaState& replica : state.replicas) {
    if (replica.replica.phase == ReplicaPhase::kDraining) continue;
    ++(replica.replica.generation == state.resource->generation() ? current : older);
  }
  const int decided = ObservedDesired(*state.resource);
  return std::clamp(std::max({current, older, decided, InitialDesired(state)}), 0,
                    std::max(state.resource->max_replicas(), 1));
}

void Controller::SetDesired(ResourceState& state, int desired) {
  state.desired = desired;
  if (synced_ && leads_) platform_->SetReplicas(state.resource->key(), desired);
}

void Controller::OnSynced() {
  {
    std::lock_guard lock(mutex_);
    if (synced_) return;
    synced_ = true;
    leads_ ? TakeUp() : StandBack();
    log::Info("platform read",
              {{"resources", resources_.size()}, {"adopted replicas", instances_.size()}});
  }
  store_.SetSynced();
}

void Controller::OnResourceDeleted(const v1::ResourceKey& key) {
  std::lock_guard lock(mutex_);
  const auto found = resources_.find(key);
  if (found == resources_.end()) return;
  for (const ReplicaState& replica : found->second->replicas) {
    instances_.erase(replica.replica.instance);
  }
  resources_.erase(found);
  metrics_.SetResources(resources_.size());
  store_.Remove(key);
  log::Debug("resource deleted",
             {{"kind", resource::KindWord(key.kind())}, {"agent", resource::ToString(key)}});
  ResolveName(key);
}

void Controller::OnReplicas(const v1::ResourceKey& key, std::vector<platform::Replica> replicas) {
  std::lock_guard lock(mutex_);
  ResourceState* state = Find(key);
  if (state == nullptr) return;
  std::vector<ReplicaState> merged;
  for (platform::Replica& replica : replicas) {
    merged.push_back(MergeReplica(*state, std::move(replica)));
  }
  for (const ReplicaState& replica : state->replicas) instances_.erase(replica.replica.instance);
  state->replicas = std::move(merged);
  for (ReplicaState& replica : state->replicas) {
    const std::string& instance = replica.replica.instance;
    instances_[instance] = key;
    if (auto early = early_reports_.extract(instance); !early.empty()) {
      TakeReport(early.mapped().source, early.mapped().load, *state, replica);
    }
  }
  Publish(*state);
}

ReplicaState Controller::MergeReplica(ResourceState& state, platform::Replica replica) {
  const ReplicaState* before = state.Find(replica.instance);
  CountFailure(before, replica);
  ReplicaState merged;
  if (before != nullptr) {
    merged = *before;
  } else if (replica.phase == ReplicaPhase::kStarting && state.wake.has_value()) {
    merged.start = std::exchange(state.wake, std::nullopt);
  }
  merged.replica = std::move(replica);
  return merged;
}

void Controller::CountFailure(const ReplicaState* before, const platform::Replica& after) {
  const bool failed_before = before != nullptr && before->replica.phase == ReplicaPhase::kFailed &&
                             before->replica.restarts == after.restarts;
  if (after.phase == ReplicaPhase::kFailed && !failed_before) metrics_.CountReplicaFailed();
}

void Controller::OnTrouble(const v1::ResourceKey& key, std::string trouble) {
  std::lock_guard lock(mutex_);
  ResourceState* state = Find(key);
  if (state == nullptr || state->trouble == trouble) return;
  state->trouble = std::move(trouble);
  Publish(*state);
}

void Controller::OnManifestProblems(std::vector<v1::ManifestProblem> problems) {
  metrics_.SetManifestProblems(problems.size());
  store_.SetProblems(problems);
}

void Controller::Publish(ResourceState& state) {
  if (InvocationDue(state)) state.published_invocation = state.last_invocation;
  const ReplicaCounts counts = CountReplicas(state);
  if (leads_) state.conditions = ConditionsOf(state, counts, clock_.wall());
  v1::RegistryEntry entry = EntryOf(state, counts, settings_.gateway_url);
  TellStatus(state, entry);
  store_.Put(std::move(entry));
}

void Controller::TellStatus(ResourceState& state, const v1::RegistryEntry& entry) {
  if (!leads_ || !synced_) return;
  const size_t fingerprint =
      absl::HashOf(entry.has_agent() ? entry.agent().status().SerializeAsString()
                                     : entry.model().status().SerializeAsString());
  if (state.told_status == fingerprint) return;
  state.told_status = fingerprint;
  platform::Status status = entry.agent().status();
  if (entry.has_model()) status = entry.model().status();
  platform_->OnStatus(entry.key(), status);
}

}  // namespace krypton::manager
