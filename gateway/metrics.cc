#include "gateway/metrics.h"

#include <utility>

namespace krypton::gateway {

struct Families {
  explicit Families(metrics::Registry& registry)
      : invocations(metrics::CounterFamily::Make(registry, "krypton_invocations_total",
                                                 "Calls of an agent, by the status answered.")),
        durations(metrics::HistogramFamily::Make(
            registry, "krypton_invocation_duration_seconds",
            "From the first byte of a call to the last of its answer; streams are not in it.",
            {.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30})),
        waits(
            metrics::HistogramFamily::Make(registry, "krypton_buffer_wait_seconds",
                                           "How long calls that had to wait for a replica did so.",
                                           {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30})),
        cold_starts(metrics::CounterFamily::Make(
            registry, "krypton_cold_starts_total",
            "Times that a replica became ready for calls that had found none.")),
        stages(metrics::HistogramFamily::Make(
            registry, "krypton_cold_start_stage_seconds",
            "Stages of a cold start: decide, start, ready (the manager's), first_byte.",
            {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30})),
        retries(metrics::CounterFamily::Make(
            registry, "krypton_gateway_retries_total",
            "Calls sent again, to another replica or from the queue, by the reason.")) {
    series.Add(durations);
    series.Add(waits);
    series.Add(cold_starts);
    series.Add(stages);
    series.Add(retries);
  }

  std::shared_ptr<metrics::CounterFamily> invocations;
  std::shared_ptr<metrics::HistogramFamily> durations;
  std::shared_ptr<metrics::HistogramFamily> waits;
  std::shared_ptr<metrics::CounterFamily> cold_starts;
  std::shared_ptr<metrics::HistogramFamily> stages;
  std::shared_ptr<metrics::CounterFamily> retries;
  metrics::AgentSeries series;
};

namespace {

metrics::Labels With(metrics::Labels labels, const char* name, std::string value) {
  labels.emplace(name, std::move(value));
  return labels;
}

}  // namespace

InvocationCounters::InvocationCounters(std::shared_ptr<metrics::CounterFamily> family,
                                       std::string name_space, std::string name)
    : family_(std::move(family)), namespace_(std::move(name_space)), name_(std::move(name)) {}

void InvocationCounters::Count(int status) {
  if (prometheus::Counter* counter = Find(status)) {
    counter->Increment();
  } else {
    Add(status)->Increment();
  }
}

prometheus::Counter* InvocationCounters::Find(int status) const {
  for (const StatusCounter& known : statuses_) {
    const int its = known.status.load(std::memory_order_acquire);
    if (its == status) return known.counter.get();
    if (its == 0) break;
  }
  return nullptr;
}

std::shared_ptr<prometheus::Counter> InvocationCounters::Add(int status) {
  std::lock_guard lock(adding_);
  if (retired_) return std::make_shared<prometheus::Counter>();
  auto counter = family_->Get(
      {{"agent", name_}, {"namespace", namespace_}, {"status", std::to_string(status)}});
  for (StatusCounter& known : statuses_) {
    const int its = known.status.load(std::memory_order_relaxed);
    if (its == status) break;
    if (its != 0) continue;
    known.counter = counter;
    known.status.store(status, std::memory_order_release);
    break;
  }
  return counter;
}

void InvocationCounters::Retire() {
  std::lock_guard lock(adding_);
  retired_ = true;
  family_->RemoveMatching({{"agent", name_}, {"namespace", namespace_}});
}

ResourceMetrics::ResourceMetrics(std::shared_ptr<Families> families, std::string name_space,
                                 std::string name)
    : families_(std::move(families)),
      namespace_(std::move(name_space)),
      name_(std::move(name)),
      invocations_(families_->invocations, namespace_, name_) {
  const metrics::Labels labels = {{"agent", name_}, {"namespace", namespace_}};
  families_->invocations->Get(With(labels, "status", "200"));  // So that rates have a baseline.
  duration_ = families_->durations->Get(labels);
  wait_ = families_->waits->Get(labels);
  cold_starts_ = families_->cold_starts->Get(labels);
  for (size_t i = 0; i < retries_.size(); ++i) {
    retries_[i] = families_->retries->Get(With(labels, "reason", kRetryReasons[i]));
  }
  for (size_t i = 0; i < stages_.size(); ++i) {
    stages_[i] = families_->stages->Get(With(labels, "stage", kStages[i]));
  }
}

void ResourceMetrics::ObserveStart(const StartStages& stages) {
  stages_[0]->Observe(stages.decide);
  stages_[1]->Observe(stages.start);
  stages_[2]->Observe(stages.ready);
}

void ResourceMetrics::Retire() {
  invocations_.Retire();
  families_->series.Remove(namespace_, name_);
}

GatewayMetrics::GatewayMetrics(metrics::Registry& registry)
    : families_(std::make_shared<Families>(registry)),
      unknown_(std::make_unique<InvocationCounters>(families_->invocations, kUnknownLabel,
                                                    kUnknownLabel)) {
  families_->invocations->Get(
      {{"agent", kUnknownLabel}, {"namespace", kUnknownLabel}, {"status", "404"}});
}

GatewayMetrics::~GatewayMetrics() = default;

std::shared_ptr<ResourceMetrics> GatewayMetrics::For(const v1::ResourceKey& key) const {
  return std::make_shared<ResourceMetrics>(families_, key.namespace_(), key.name());
}

}  // namespace krypton::gateway
