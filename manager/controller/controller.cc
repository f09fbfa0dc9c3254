#include "manager/controller/controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
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
                       prometheus::Registry& metrics)
    : settings_(std::move(settings)), clock_(std::move(clock)), store_(store), metrics_(metrics) {}

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
  metrics_.SetResources(resources_.size());
  ResolveName(key);
  if (state.conflict.has_value()) {
    SetDesired(state, 0);
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
  return settings_.scaler_enabled ? floor : std::max(floor, 1);
}

// What runs already goes on; the scaler knows better once it has heard of the load. While a roll is
// under way, old and new replicas stand for one another.
int Controller::AdoptedDesired(const ResourceState& state) const {
  int current = 0;
  int older = 0;
  for (const ReplicaState& replica : state.replicas) {
    if (replica.replica.phase == ReplicaPhase::kDraining) continue;
    ++(replica.replica.generation == state.resource->generation() ? current : older);
  }
  return std::clamp(std::max({current, older, InitialDesired(state)}), 0,
                    std::max(state.resource->max_replicas(), 1));
}

void Controller::SetDesired(ResourceState& state, int desired) {
  state.desired = desired;
  if (synced_) platform_->SetReplicas(state.resource->key(), desired);
}

void Controller::OnSynced() {
  {
    std::lock_guard lock(mutex_);
    if (synced_) return;
    synced_ = true;
    for (auto& [key, state] : resources_) {
      SetDesired(*state, state->conflict.has_value() ? 0 : AdoptedDesired(*state));
      Publish(*state);
    }
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

void Controller::OnManifestProblems(std::vector<v1::ManifestProblem> problems) {
  metrics_.SetManifestProblems(problems.size());
  store_.SetProblems(std::move(problems));
}

void Controller::OnLoad(const LoadSource& source, const v1::ReportRequest& report, bool) {
  if (source.kind != v1::REPORTER_KIND_SIDECAR) return;
  std::lock_guard lock(mutex_);
  for (const v1::ReplicaLoad& load : report.replicas()) {
    const auto owner = instances_.find(load.instance());
    if (owner == instances_.end()) {
      KeepEarly(source, load);
      continue;
    }
    if (!resource::KeyEqual()(owner->second, load.key())) continue;
    ResourceState* state = Find(load.key());
    ReplicaState* replica = state == nullptr ? nullptr : state->Find(load.instance());
    if (replica == nullptr || source.stream < replica->stream) continue;
    if (TakeReport(source, load, *state, *replica) || InvocationDue(*state)) Publish(*state);
  }
}

// The platform's word may come after the sidecar's first one, which is not said again for a while.
void Controller::KeepEarly(const LoadSource& source, const v1::ReplicaLoad& load) {
  if (early_reports_.size() >= settings_.max_early_reports) early_reports_.clear();
  early_reports_[load.instance()] = {source, load};
}

// True when the entry changes.
bool Controller::TakeReport(const LoadSource& source, const v1::ReplicaLoad& load,
                            ResourceState& state, ReplicaState& replica) {
  const v1::EndpointState before = replica.reported;
  const v1::EndpointState shown_before = EndpointStateOf(replica);
  const bool same = replica.port == load.port() && replica.concurrency == load.concurrency();
  replica.stream = source.stream;
  replica.reported = load.state();
  if (load.port() != 0) replica.port = load.port();
  replica.concurrency = load.concurrency();
  if (load.has_last_activity()) {
    if (!state.last_invocation.has_value() ||
        FromProto(*state.last_invocation) < FromProto(load.last_activity())) {
      state.last_invocation = load.last_activity();
    }
  }
  const auto now = clock_.now();
  if (replica.start.has_value() && !replica.first_report.has_value()) {
    *replica.start->timing.mutable_start() = ToProto(now - replica.start->decided_at);
  }
  if (!replica.first_report.has_value()) replica.first_report = now;
  if (load.state() == v1::ENDPOINT_STATE_READY && replica.start.has_value() &&
      !replica.start->timing.has_ready()) {
    *replica.start->timing.mutable_ready() = ToProto(now - *replica.first_report);
  }
  if (load.state() != before) {
    platform_->OnReplicaState(state.resource->key(), replica.replica.instance, load.state());
  }
  return !same || EndpointStateOf(replica) != shown_before;
}

bool Controller::InvocationDue(const ResourceState& state) const {
  if (!state.last_invocation.has_value()) return false;
  if (!state.published_invocation.has_value()) return true;
  return FromProto(*state.last_invocation) - FromProto(*state.published_invocation) >=
         settings_.invocation_interval;
}

void Controller::OnLoadStreamEnd(const LoadSource& source) {
  if (source.kind != v1::REPORTER_KIND_SIDECAR) return;
  std::lock_guard lock(mutex_);
  if (const auto early = early_reports_.find(source.instance);
      early != early_reports_.end() && early->second.source.stream == source.stream) {
    early_reports_.erase(early);
  }
  const auto owner = instances_.find(source.instance);
  if (owner == instances_.end()) return;
  ResourceState* state = Find(owner->second);
  ReplicaState* replica = state == nullptr ? nullptr : state->Find(source.instance);
  if (replica == nullptr || replica->stream != source.stream) return;
  // From now on the platform's word counts, and it looks again.
  replica->stream = 0;
  replica->reported = v1::ENDPOINT_STATE_UNSPECIFIED;
  platform_->ConfirmReplica(owner->second, source.instance);
  Publish(*state);
}

absl::Status Controller::Apply(const v1::ScalingDecision& decision) {
  if (!resource::IsDnsLabel(decision.key().namespace_()) ||
      !resource::IsDnsLabel(decision.key().name())) {
    return absl::InvalidArgumentError("the key names no agent and no model");
  }
  std::lock_guard lock(mutex_);
  ResourceState* state = Find(decision.key());
  if (state == nullptr) {
    metrics_.CountDecisionRefused();
    return absl::NotFoundError(resource::Describe(decision.key()) + " does not exist");
  }
  if (absl::Status status = Check(decision, *state); !status.ok()) {
    metrics_.CountDecisionRefused();
    state->decisions.AddRefusal(decision, std::string(status.message()));
    return status;
  }
  if (decision.desired() == state->desired) return absl::OkStatus();
  NoteWake(decision, *state);
  state->decisions.Add(decision);
  log::Info("scaled", {{"agent", resource::ToString(decision.key())},
                       {"from", state->desired},
                       {"to", decision.desired()},
                       {"reason", decision.reason()}});
  SetDesired(*state, decision.desired());
  Publish(*state);
  return absl::OkStatus();
}

absl::Status Controller::Check(const v1::ScalingDecision& decision,
                               const ResourceState& state) const {
  if (decision.term() != settings_.term) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the decision is of term %d, this manager's term is %d", decision.term(), settings_.term));
  }
  if (!synced_) return absl::UnavailableError("the platform has not been read yet");
  if (state.conflict.has_value()) {
    return absl::FailedPreconditionError("another resource has the same name");
  }
  const int floor = state.resource->floor_replicas();
  const int max = state.resource->max_replicas();
  if (decision.desired() < floor || decision.desired() > max) {
    return absl::OutOfRangeError(absl::StrFormat("desired %d is not in %d..%d of generation %d",
                                                 decision.desired(), floor, max,
                                                 state.resource->generation()));
  }
  return absl::OkStatus();
}

void Controller::NoteWake(const v1::ScalingDecision& decision, ResourceState& state) {
  if (state.desired != 0 || decision.desired() == 0) {
    state.wake.reset();
    return;
  }
  if (!decision.has_decide_time()) return;
  StartClock start;
  start.decided_at = clock_.now();
  *start.timing.mutable_decide() = decision.decide_time();
  state.wake = start;
  const auto published = std::max<std::chrono::nanoseconds>(
      clock_.wall() - FromProto(decision.time()), std::chrono::nanoseconds::zero());
  metrics_.ObserveWake(FromProto(decision.decide_time()) + published);
}

void Controller::Publish(ResourceState& state) {
  state.published_invocation = state.last_invocation;
  const ReplicaCounts counts = CountReplicas(state);
  state.conditions = ConditionsOf(state, counts, clock_.wall());
  store_.Put(EntryOf(state, counts, settings_.gateway_url));
}

// People who ask by URL give no kind: whichever there is, the one that runs first.
absl::StatusOr<v1::ResourceKey> Controller::Resolve(const v1::ResourceKey& key) const {
  std::vector<v1::ResourceKey> candidates = {key};
  if (key.kind() == v1::RESOURCE_KIND_UNSPECIFIED) {
    candidates = {resource::AgentKey(key.namespace_(), key.name()),
                  resource::ModelKey(key.namespace_(), key.name())};
  }
  std::optional<v1::ResourceKey> existing;
  for (const v1::ResourceKey& candidate : candidates) {
    const auto found = resources_.find(candidate);
    if (found == resources_.end()) continue;
    if (!found->second->conflict.has_value()) return candidate;
    existing = candidate;
  }
  if (existing.has_value()) return *existing;
  return absl::NotFoundError(resource::Describe(key) + " does not exist");
}

absl::StatusOr<std::vector<v1::DecisionRecord>> Controller::Decisions(const v1::ResourceKey& key,
                                                                      size_t limit) const {
  std::lock_guard lock(mutex_);
  const absl::StatusOr<v1::ResourceKey> resolved = Resolve(key);
  if (!resolved.ok()) return resolved.status();
  return resources_.at(*resolved)->decisions.Last(limit);
}

absl::StatusOr<std::unique_ptr<platform::LogStream>> Controller::ReadLogs(
    const v1::ResourceKey& key, const platform::LogOptions& options) const {
  platform::Platform* platform = nullptr;
  absl::StatusOr<v1::ResourceKey> resolved;
  {
    std::lock_guard lock(mutex_);
    resolved = Resolve(key);
    platform = platform_;
  }
  if (!resolved.ok()) return resolved.status();
  return platform->ReadLogs(*resolved, options);
}

}  // namespace krypton::manager
