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
            {.005, .02, .1, .5, 1, 2.5, 10, 30})),
        retries(metrics::CounterFamily::Make(
            registry, "krypton_gateway_retries_total",
            "Calls sent again, to another replica or from the queue, by the reason.")),
        errors(metrics::CounterFamily::Make(registry, "krypton_gateway_errors_total",
                                            "Calls that ended with an error of the mesh itself.")) {
    series.Add(durations);
    series.Add(waits);
    series.Add(cold_starts);
    series.Add(stages);
    series.Add(retries);
    series.Add(errors);
  }

  std::shared_ptr<metrics::CounterFamily> invocations;
  std::shared_ptr<metrics::HistogramFamily> durations;
  std::shared_ptr<metrics::HistogramFamily> waits;
  std::shared_ptr<metrics::CounterFamily> cold_starts;
  std::shared_ptr<metrics::HistogramFamily> stages;
  std::shared_ptr<metrics::CounterFamily> retries;
  std::shared_ptr<metrics::CounterFamily> errors;
  metrics::AgentSeries series;
};

namespace {

metrics::Labels With(metrics::Labels labels, const char* name, std::string value) {
  labels.emplace(name, std::move(value));
  return labels;
}

}  // namespace

ResourceMetrics::ResourceMetrics(std::shared_ptr<Families> families, const v1::ResourceKey& key)
    : families_(std::move(families)),
      namespace_(key.namespace_()),
      name_(key.name()),
      invocations_(families_->invocations, {{"agent", name_}, {"namespace", namespace_}}) {
  const metrics::Labels labels = {{"agent", name_}, {"namespace", namespace_}};
  if (key.kind() != v1::RESOURCE_KIND_MODEL) {
    families_->invocations->Get(With(labels, "status", "200"));  // So that rates have a baseline.
    duration_ = families_->durations->Get(labels);
  }
  wait_ = families_->waits->Get(labels);
  cold_starts_ = families_->cold_starts->Get(labels);
  for (size_t i = 0; i < retries_.size(); ++i) {
    retries_[i] = families_->retries->Get(With(labels, "reason", kRetryReasons[i]));
  }
  for (size_t i = 0; i < errors_.size(); ++i) {
    errors_[i] = families_->errors->Get(With(labels, "reason", kErrorReasons[i]));
  }
  for (size_t i = 0; i < stages_.size(); ++i) {
    stages_[i] = families_->stages->Get(With(labels, "stage", kStages[i]));
  }
}

void ResourceMetrics::CountError(http::ErrorCode code) {
  const std::string_view name = http::CodeName(code);
  size_t reason = 0;
  while (reason + 1 < kErrorReasons.size() && kErrorReasons[reason] != name) ++reason;
  errors_[reason]->Increment();
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
      model_families_(std::make_shared<ModelFamilies>(registry)) {
  const metrics::Labels unknown = {{"agent", kUnknownLabel}, {"namespace", kUnknownLabel}};
  const metrics::Labels unknown_model = {{"model", kUnknownLabel}};
  unknown_ = std::make_unique<StatusCounters>(families_->invocations, unknown);
  unknown_model_ = std::make_unique<StatusCounters>(model_families_->invocations, unknown_model);
  families_->invocations->Get(With(unknown, "status", "404"));
  model_families_->invocations->Get(With(unknown_model, "status", "404"));
}

GatewayMetrics::~GatewayMetrics() = default;

std::shared_ptr<ResourceMetrics> GatewayMetrics::For(const v1::ResourceKey& key) const {
  return std::make_shared<ResourceMetrics>(families_, key);
}

std::shared_ptr<ModelMetrics> GatewayMetrics::ForModel(std::string id) const {
  return std::make_shared<ModelMetrics>(model_families_, std::move(id));
}

}  // namespace krypton::gateway
