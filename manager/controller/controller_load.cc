// What the sidecars say of themselves, and what becomes of it.
#include <algorithm>
#include <utility>

#include "manager/controller/controller.h"
#include "manager/proto_time.h"

namespace krypton::manager {

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
  replica.in_flight = load.in_flight() + load.parked();
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

}  // namespace krypton::manager
