#include "manager/platform/local/replica_group.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "manager/platform/local/launch.h"

namespace krypton::platform {

ReplicaGroup::ReplicaGroup(const LocalContext& context, LogDirectory& logs, v1::ResourceKey key,
                           std::function<void(std::vector<Replica>)> report)
    : context_(context), logs_(logs), key_(std::move(key)), report_(std::move(report)) {
  logs_.Set(key_, {});
}

ReplicaGroup::~ReplicaGroup() {
  *alive_ = false;
  context_.loop.Cancel(timer_);
  if (!last_failed_.empty()) RemoveFolder(last_failed_);
  logs_.Remove(key_);
}

LocalReplica::Events ReplicaGroup::EventsOfReplica() {
  LocalReplica::Events events;
  events.on_change = [this] {
    changed_ = true;
    Schedule();
  };
  events.on_failed = [this] {
    changed_ = true;
    failed_since_ = true;
    Schedule();
  };
  events.on_gone = [this] { Schedule(); };
  return events;
}

void ReplicaGroup::SetResource(std::shared_ptr<const resource::Resource> resource,
                               std::string work_folder) {
  const bool new_generation = resource_ == nullptr ||
                              resource_->metadata().uid() != resource->metadata().uid() ||
                              resource_->generation() != resource->generation();
  // What failed before may be what the edit repairs.
  if (new_generation) {
    failures_ = 0;
    restart_at_ = {};
  }
  // New, or deleted and made again: what is wanted of it has not been said.
  if (resource_ == nullptr) desired_.reset();
  resource_ = std::move(resource);
  work_folder_ = std::move(work_folder);
  template_ = TemplateOf(*resource_, work_folder_, context_.settings);
  for (const auto& replica : replicas_) PromoteIfSame(*replica);
  Schedule();
}

void ReplicaGroup::PromoteIfSame(LocalReplica& replica) {
  const bool live =
      replica.phase() == ReplicaPhase::kStarting || replica.phase() == ReplicaPhase::kRunning;
  if (live && resource_ != nullptr && replica.record().uid == resource_->metadata().uid() &&
      replica.record().process_template == template_) {
    replica.Promote(resource_->generation());
  }
}

void ReplicaGroup::Delete() {
  resource_.reset();
  desired_ = 0;
  Reconcile();
}

void ReplicaGroup::SetDesired(int desired) {
  if (resource_ == nullptr || ending_) return;
  desired_ = desired;
  Reconcile();
}

void ReplicaGroup::Adopt(ReplicaRecord record, std::unique_ptr<SupervisorLink> link) {
  const auto startup =
      resource_ != nullptr ? resource_->startup_timeout() : std::chrono::seconds(30);
  replicas_.push_back(std::make_unique<LocalReplica>(context_, std::move(record), std::move(link),
                                                     startup, EventsOfReplica()));
  PromoteIfSame(*replicas_.back());
  changed_ = true;
  SetTimer();
}

LocalReplica* ReplicaGroup::Find(const std::string& instance) {
  for (const auto& replica : replicas_) {
    if (replica->instance() == instance) return replica.get();
  }
  return nullptr;
}

void ReplicaGroup::OnState(const std::string& instance, v1::EndpointState state) {
  if (LocalReplica* replica = Find(instance)) replica->OnState(state);
}

void ReplicaGroup::Confirm(const std::string& instance) {
  if (LocalReplica* replica = Find(instance)) replica->Confirm();
}

void ReplicaGroup::End(bool now) {
  ending_ = true;
  desired_ = 0;
  Reconcile();
  if (!now) return;
  for (const auto& replica : replicas_) replica->Kill("");
  SetTimer();
}

bool ReplicaGroup::awaits_hello() const {
  return std::any_of(replicas_.begin(), replicas_.end(),
                     [](const auto& replica) { return replica->awaits_hello(); });
}

std::vector<Replica> ReplicaGroup::Report() const {
  std::vector<Replica> report;
  for (const auto& replica : replicas_) report.push_back(replica->Report());
  return report;
}

PlanInput ReplicaGroup::Input() const {
  PlanInput input;
  input.desired = *desired_;
  input.may_restart = Loop::Clock::now() >= restart_at_;
  for (const auto& replica : replicas_) {
    PlannedReplica planned;
    planned.instance = replica->instance();
    planned.current = resource_ != nullptr &&
                      replica->record().uid == resource_->metadata().uid() &&
                      replica->record().generation == resource_->generation() &&
                      replica->record().process_template == template_;
    planned.ready = replica->phase() == ReplicaPhase::kRunning;
    planned.failed = replica->phase() == ReplicaPhase::kFailed;
    planned.draining = replica->phase() == ReplicaPhase::kDraining;
    planned.started = replica->record().start_time.time_since_epoch().count();
    input.replicas.push_back(std::move(planned));
  }
  return input;
}

void ReplicaGroup::Schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  context_.loop.Post([this, alive = alive_] {
    if (*alive) Reconcile();
  });
}

void ReplicaGroup::Reconcile() {
  scheduled_ = false;
  CountFailures();
  Plan plan;
  if (desired_.has_value()) plan = PlanReplicas(Input());
  std::vector<LocalReplica::Past> pasts;
  for (const std::string& instance : plan.forget) pasts.push_back(Find(instance)->AsPast());
  const std::vector<LocalReplica*> draining = MarkDrains(plan.drain);
  RemoveGone(plan.forget);
  const std::vector<LocalReplica*> added = AddReplicas(plan.start, std::move(pasts));
  // Said before it is done: a sidecar is known before it reports, and no request is sent to one
  // that drains.
  Tell();
  for (LocalReplica* replica : draining) replica->Drain();
  for (LocalReplica* replica : added) replica->Start(*resource_, work_folder_);
  SetTimer();
}

void ReplicaGroup::CountFailures() {
  if (!std::exchange(failed_since_, false)) return;
  const auto now = Loop::Clock::now();
  // Several at once are one failure.
  if (now >= restart_at_) {
    if (now - restart_at_ > context_.settings.stable_after) failures_ = 0;
    ++failures_;
    const auto backoff = context_.settings.first_backoff * (1 << std::min(failures_ - 1, 16));
    wait_ = std::min<std::chrono::milliseconds>(backoff, context_.settings.max_backoff);
    restart_at_ = now + wait_;
  }
  for (const auto& replica : replicas_) {
    if (replica->phase() != ReplicaPhase::kFailed) continue;
    replica->set_retry_after(std::chrono::ceil<std::chrono::seconds>(wait_));
  }
}

std::vector<LocalReplica*> ReplicaGroup::MarkDrains(const std::vector<std::string>& instances) {
  std::vector<LocalReplica*> draining;
  for (const std::string& instance : instances) {
    LocalReplica* const replica = Find(instance);
    replica->MarkDraining();
    draining.push_back(replica);
    changed_ = true;
  }
  return draining;
}

void ReplicaGroup::RemoveGone(const std::vector<std::string>& forget) {
  for (const std::string& instance : forget) {
    LocalReplica* const replica = Find(instance);
    if (!replica->gone()) {
      // Its processes are on their way out; it stays until they have gone.
      replica->MarkDraining();
      changed_ = true;
      continue;
    }
    if (!last_failed_.empty()) RemoveFolder(last_failed_);
    last_failed_ = replica->folder();
    std::erase_if(replicas_, [&](const auto& r) { return r.get() == replica; });
    changed_ = true;
  }
  std::erase_if(replicas_, [&](const auto& replica) {
    if (!replica->gone() || replica->phase() != ReplicaPhase::kDraining) return false;
    RemoveFolder(replica->folder());
    changed_ = true;
    log::Info("replica ended", {{"instance", replica->instance()},
                                {resource::KindWord(key_.kind()), resource::ToString(key_)}});
    return true;
  });
}

std::vector<LocalReplica*> ReplicaGroup::AddReplicas(int count,
                                                     std::vector<LocalReplica::Past> pasts) {
  pasts.resize(static_cast<size_t>(std::max(count, 0)));
  std::vector<LocalReplica*> added;
  for (int i = 0; i < count; ++i) {
    replicas_.push_back(std::make_unique<LocalReplica>(context_, *resource_, template_,
                                                       std::move(pasts[i]), EventsOfReplica()));
    added.push_back(replicas_.back().get());
    changed_ = true;
  }
  return added;
}

void ReplicaGroup::Tell() {
  if (!std::exchange(changed_, false)) return;
  std::vector<LogSource> sources;
  if (!last_failed_.empty()) {
    sources.push_back({last_failed_.substr(last_failed_.rfind('/') + 1), last_failed_, true});
  }
  for (const auto& replica : replicas_) {
    sources.push_back({replica->instance(), replica->folder(), replica->gone()});
  }
  logs_.Set(key_, std::move(sources));
  report_(Report());
}

void ReplicaGroup::RunDeadlines() {
  const auto now = Loop::Clock::now();
  for (const auto& replica : replicas_) {
    if (replica->deadline() <= now) replica->OnDeadline();
  }
  Reconcile();
}

void ReplicaGroup::SetTimer() {
  context_.loop.Cancel(std::exchange(timer_, 0));
  const auto now = Loop::Clock::now();
  auto next = Loop::Clock::time_point::max();
  for (const auto& replica : replicas_) next = std::min(next, replica->deadline());
  const int wanted = desired_.value_or(0);
  if (restart_at_ > now && wanted > 0) next = std::min(next, restart_at_);
  if (next == Loop::Clock::time_point::max()) return;
  timer_ = context_.loop.After(std::max(next - now, Loop::Clock::duration(0)), [this] {
    timer_ = 0;
    RunDeadlines();
  });
}

}  // namespace krypton::platform
