#include "manager/scaler/scaler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/resource/conflict.h"
#include "common/resource/resource.h"
#include "manager/proto_time.h"

namespace krypton::scaler {
namespace {

// A queue that stays non-empty is looked at between ticks no more often than this.
constexpr std::chrono::milliseconds kBetweenTicks{100};
constexpr std::chrono::seconds kReporterCheckInterval{30};

ScalingSpec SpecOf(const resource::Resource& resource) {
  ScalingSpec spec;
  spec.serverless = resource.mode() == v1::SCALING_MODE_SERVERLESS;
  spec.max = std::max(resource.max_replicas(), resource.scaled_by_others() ? 0 : 1);
  spec.floor = std::clamp(resource.floor_replicas(), 0, spec.max);
  spec.concurrency = std::max(resource.concurrency(), 1);
  spec.scale_to_zero_after = resource.scale_to_zero_after();
  return spec;
}

const v1::ObjectMeta& MetadataOf(const v1::RegistryEntry& entry) {
  return entry.has_model() ? entry.model().metadata() : entry.agent().metadata();
}

int DesiredOf(const v1::RegistryEntry& entry) {
  return entry.has_model() ? entry.model().status().desired_replicas()
                           : entry.agent().status().desired_replicas();
}

// A moment of another machine's wall clock, on ours that only goes forward.
TimePoint Localize(const google::protobuf::Timestamp& time, TimePoint now,
                   std::chrono::system_clock::time_point wall) {
  constexpr std::chrono::hours kLongAgo{24 * 30};
  const auto age = wall - manager::FromProto(time);
  return now - std::clamp<Duration>(age, Duration::zero(), kLongAgo);
}

}  // namespace

// One resource: its spec, once the registry has said it, and its load.
struct Scaler::Subject {
  Subject(const v1::ResourceKey& key_in, const ScalerSettings& settings)
      : key(key_in), book(settings.book), history(settings.policy.stable_window) {}

  bool known() const { return series != nullptr; }

  const v1::ResourceKey key;
  LoadBook book;
  History history;
  ScalingSpec spec;
  std::string uid;
  int64_t generation = -1;
  std::unique_ptr<ResourceSeries> series;
  int desired = 0;
  int desired_at_tick = 0;
  // What the registry says is desired: what counts after a refusal.
  int desired_in_registry = 0;
  TimePoint last_active{};
  TimePoint last_evaluated{};
};

struct Scaler::Reporter {
  std::shared_ptr<Source> source = std::make_shared<Source>();
  uint64_t stream = 0;
  // Where something waits at this gateway; of a sidecar, what it is a replica of.
  resource::KeySet keys;
};

Scaler::Scaler(ScalerSettings settings, manager::Clock clock, prometheus::Registry& metrics,
               Publish publish)
    : settings_(settings),
      clock_(std::move(clock)),
      publish_(std::move(publish)),
      metrics_(metrics) {}

Scaler::~Scaler() = default;

void Scaler::OnRegistryChange(const registry::Change& change) {
  std::lock_guard lock(mutex_);
  const bool first = !synced_at_.has_value();
  if (first) synced_at_ = clock_.now();
  for (const v1::ResourceKey& key : change.removed) Remove(key);
  // Before the one that has the name: the series that go by it are that one's.
  for (const auto& entry : change.entries) {
    if (resource::HasNameConflict(*entry)) Remove(entry->key());
  }
  for (const auto& entry : change.entries) {
    if (!resource::HasNameConflict(*entry)) ApplyEntry(*entry, first);
  }
}

void Scaler::ApplyEntry(const v1::RegistryEntry& entry, bool known_before) {
  const v1::ObjectMeta& metadata = MetadataOf(entry);
  Subject* subject = nullptr;
  if (const auto found = subjects_.find(entry.key()); found != subjects_.end()) {
    subject = found->second.get();
  }
  if (subject != nullptr && subject->known() && subject->uid != metadata.uid()) {
    Remove(entry.key());
    subject = nullptr;
  }
  if (subject == nullptr) {
    auto& slot = subjects_[entry.key()];
    slot = std::make_unique<Subject>(entry.key(), settings_);
    subject = slot.get();
  } else if (!subject->known()) {
    --unknown_resources_;
  }
  const TimePoint now = clock_.now();
  subject->desired_in_registry = DesiredOf(entry);
  if (subject->generation != metadata.generation()) {
    const auto resource = resource::Resource::FromEntry(entry);
    if (resource != nullptr) subject->spec = SpecOf(*resource);
    subject->generation = metadata.generation();
  }
  if (!subject->known()) {
    subject->series = std::make_unique<ResourceSeries>(metrics_, entry.key());
    subject->uid = metadata.uid();
    subject->desired = subject->desired_at_tick = subject->desired_in_registry;
    subject->series->SetDesired(subject->desired);
    subject->last_active = now;
    // What runs was wanted until now.
    const double worth = subject->spec.concurrency * settings_.policy.target_utilization;
    subject->history.Add(now, subject->desired * worth, subject->desired);
  }
  std::vector<LoadBook::NamedReplica> replicas;
  for (const v1::Endpoint& endpoint : entry.endpoints()) {
    replicas.push_back({endpoint.instance(), endpoint.state() == v1::ENDPOINT_STATE_DRAINING});
  }
  subject->book.SetReplicas(replicas, known_before);
  if (subject->desired > 0 || subject->desired < subject->spec.floor || !subject->book.quiet()) {
    active_.insert(subject);
  }
  if (subject->desired == 0 && !subject->book.quiet()) Evaluate(*subject, now, now);
}

void Scaler::Remove(const v1::ResourceKey& key) {
  const auto found = subjects_.find(key);
  if (found == subjects_.end()) return;
  if (!found->second->known()) --unknown_resources_;
  active_.erase(found->second.get());
  subjects_.erase(found);
}

Scaler::Subject* Scaler::SubjectOf(const v1::ResourceKey& key) {
  if (const auto found = subjects_.find(key); found != subjects_.end()) return found->second.get();
  if (unknown_resources_ >= settings_.max_unknown_resources) return nullptr;
  ++unknown_resources_;
  auto& slot = subjects_[key];
  slot = std::make_unique<Subject>(key, settings_);
  active_.insert(slot.get());  // So that a tick forgets it if nothing becomes of it.
  return slot.get();
}

Scaler::Reporter* Scaler::ReporterOf(const manager::LoadSource& source, TimePoint now) {
  const std::string name = absl::StrCat(source.kind, "/", source.instance);
  auto found = reporters_.find(name);
  if (found == reporters_.end()) {
    if (reporters_.size() >= settings_.max_sources) {
      static log::Limiter limiter(std::chrono::seconds(60));
      if (limiter.Allow()) {
        log::Error("too many sources of load; further ones are not counted",
                   {{"max", settings_.max_sources}});
      }
      return nullptr;
    }
    found = reporters_.emplace(name, std::make_unique<Reporter>()).first;
    found->second->source->first_seen = now;
    if (source.kind == v1::REPORTER_KIND_GATEWAY && synced_at_.has_value() &&
        now < *synced_at_ + settings_.policy.stable_window) {
      last_early_gateway_ = now;
    }
  }
  Reporter* reporter = found->second.get();
  if (source.stream < reporter->stream) return nullptr;
  reporter->stream = source.stream;
  reporter->source->last_seen = now;
  return reporter;
}

void Scaler::OnLoad(const manager::LoadSource& source, const v1::ReportRequest& report,
                    bool first) {
  std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  Reporter* reporter = ReporterOf(source, now);
  if (reporter == nullptr) return;
  if (source.kind == v1::REPORTER_KIND_SIDECAR) {
    for (const v1::ReplicaLoad& load : report.replicas()) TakeReplica(load, *reporter, now);
    if (report.replicas().empty()) Touch(source, *reporter, now);
    return;
  }
  if (first) DropQueues(report, source.instance, *reporter);
  for (const v1::QueueLoad& load : report.queues()) {
    TakeQueue(load, source.instance, *reporter, now);
  }
}

void Scaler::TakeReplica(const v1::ReplicaLoad& load, Reporter& reporter, TimePoint now) {
  Subject* subject = SubjectOf(load.key());
  if (subject == nullptr) return;
  const TimePoint last_active = load.has_last_activity()
                                    ? Localize(load.last_activity(), now, clock_.wall())
                                    : TimePoint::min();
  subject->book.ReportReplica(load.instance(), now, load.in_flight() + load.parked(), last_active);
  reporter.keys = {load.key()};
  active_.insert(subject);
}

void Scaler::Touch(const manager::LoadSource& source, const Reporter& reporter, TimePoint now) {
  for (const v1::ResourceKey& key : reporter.keys) {
    const auto found = subjects_.find(key);
    if (found != subjects_.end()) found->second->book.TouchReplica(source.instance, now);
  }
}

void Scaler::TakeQueue(const v1::QueueLoad& load, const std::string& gateway, Reporter& reporter,
                       TimePoint now) {
  Subject* subject = SubjectOf(load.key());
  if (subject == nullptr) return;
  subject->book.ReportQueue(gateway, reporter.source, load.waiting(), load.in_flight());
  if (load.waiting() == 0 && load.in_flight() == 0) {
    reporter.keys.erase(load.key());
    return;
  }
  reporter.keys.insert(load.key());
  active_.insert(subject);
  if (load.waiting() == 0 || !subject->known()) return;
  if (subject->desired == 0 || now - subject->last_evaluated >= kBetweenTicks) {
    Evaluate(*subject, now, now);
  }
}

void Scaler::DropQueues(const v1::ReportRequest& report, const std::string& gateway,
                        Reporter& reporter) {
  resource::KeySet named;
  for (const v1::QueueLoad& load : report.queues()) named.insert(load.key());
  for (const v1::ResourceKey& key : reporter.keys) {
    if (named.contains(key)) continue;
    if (const auto found = subjects_.find(key); found != subjects_.end()) {
      found->second->book.ReportQueue(gateway, reporter.source, 0, 0);
    }
  }
  absl::erase_if(reporter.keys, [&](const v1::ResourceKey& key) { return !named.contains(key); });
}

Load Scaler::LoadOf(Subject& subject, TimePoint now) {
  const auto window = settings_.policy.stable_window;
  const bool long_ago =
      !synced_at_.has_value() || now - *synced_at_ > window + settings_.book.expire_after;
  Load load = subject.book.Sum(now, long_ago ? TimePoint::max() : now - window);
  if (subject.book.known_before() && now < last_early_gateway_ + window) load.unsettled = true;
  subject.last_active = std::max(subject.last_active, load.last_active);
  load.last_active = subject.last_active;
  return load;
}

void Scaler::Evaluate(Subject& subject, TimePoint now, std::optional<TimePoint> caused_at) {
  const Load load = LoadOf(subject, now);
  const Decision decision =
      Decide(subject.spec, settings_.policy, load, subject.history, subject.desired, now);
  subject.history.Add(now, load.demand(), decision.wanted);
  subject.last_evaluated = now;
  if (decision.desired == subject.desired) return;
  subject.desired = decision.desired;
  subject.series->SetDesired(decision.desired);
  active_.insert(&subject);
  Announce(subject, load, decision, caused_at);
}

void Scaler::Announce(const Subject& subject, const Load& load, const Decision& decision,
                      std::optional<TimePoint> caused_at) {
  v1::ScalingDecision message;
  *message.mutable_key() = subject.key;
  message.set_sequence(++sequence_);
  message.set_term(settings_.term);
  message.set_shard(resource::ShardOf(subject.key));
  message.set_desired(decision.desired);
  message.set_previous(decision.previous);
  message.set_direction(decision.direction());
  message.set_rule(decision.rule);
  message.set_reason(decision.reason);
  *message.mutable_time() = manager::ToProto(clock_.wall());
  message.set_demand(load.demand());
  message.set_in_flight(load.in_flight);
  message.set_waiting(load.waiting);
  message.set_wanted(decision.wanted);
  message.set_min_replicas(subject.spec.floor);
  message.set_max_replicas(subject.spec.max);
  message.set_concurrency(subject.spec.concurrency);
  message.set_target_utilization(settings_.policy.target_utilization);
  message.set_sources(load.sources);
  message.set_silent_sources(load.silent_sources);
  if (caused_at.has_value() && decision.previous == 0) {
    *message.mutable_decide_time() = manager::ToProto(clock_.now() - *caused_at);
  }
  publish_(std::move(message));
}

void Scaler::OnRefusal(const v1::DecisionRefusal& refusal) {
  std::lock_guard lock(mutex_);
  const auto found = subjects_.find(refusal.key());
  if (found == subjects_.end() || !found->second->known()) return;
  Subject& subject = *found->second;
  subject.desired = subject.desired_in_registry;
  subject.series->SetDesired(subject.desired);
  active_.insert(&subject);
}

void Scaler::Tick() {
  std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  const std::vector<Subject*> active(active_.begin(), active_.end());
  for (Subject* subject : active) {
    if (!subject->known()) {
      subject->book.Sum(now, TimePoint::max());  // Forgets what is silent for too long.
      if (subject->book.quiet()) Remove(v1::ResourceKey(subject->key));
      continue;
    }
    Evaluate(*subject, now, std::nullopt);
    const int change = subject->desired - subject->desired_at_tick;
    subject->series->CountDecision(change > 0   ? v1::SCALING_DIRECTION_UP
                                   : change < 0 ? v1::SCALING_DIRECTION_DOWN
                                                : v1::SCALING_DIRECTION_NOOP);
    subject->desired_at_tick = subject->desired;
    if (subject->desired == 0 && subject->book.quiet()) {
      active_.erase(subject);
      subject->history.Clear();
    }
  }
  ExpireReporters(now);
  metrics_.SetSources(reporters_.size(), active_.size());
  metrics_.ObserveTick(std::chrono::duration<double>(clock_.now() - now).count());
}

void Scaler::ExpireReporters(TimePoint now) {
  if (now - reporters_checked_at_ < kReporterCheckInterval) return;
  reporters_checked_at_ = now;
  absl::erase_if(reporters_, [&](const auto& item) {
    return now - item.second->source->last_seen > settings_.book.expire_after;
  });
}

}  // namespace krypton::scaler
