#include "gateway/model_metrics.h"

#include <utility>

namespace krypton::gateway {
namespace {

metrics::Labels With(metrics::Labels labels, const char* name, const char* value) {
  labels.emplace(name, value);
  return labels;
}

}  // namespace

ModelFamilies::ModelFamilies(metrics::Registry& registry)
    : invocations(metrics::CounterFamily::Make(registry, "krypton_model_invocations_total",
                                               "Calls of a model, by the status answered.")),
      durations(metrics::HistogramFamily::Make(
          registry, "krypton_model_invocation_duration_seconds",
          "From the first byte of a model's call to the last of its answer.",
          {.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120})),
      tokens(metrics::CounterFamily::Make(registry, "krypton_model_tokens_total",
                                          "Tokens that answers say they took, by type.")),
      first_token(metrics::HistogramFamily::Make(
          registry, "krypton_model_time_to_first_token_seconds",
          "From the first byte of a call to the first event of its streamed answer.",
          {.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120})),
      per_token(metrics::HistogramFamily::Make(
          registry, "krypton_model_time_per_output_token_seconds",
          "Mean time between the tokens of a streamed answer.",
          // OpenTelemetry's gen_ai.server.time_per_output_token, and below.
          {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5})) {}

ModelMetrics::ModelMetrics(std::shared_ptr<ModelFamilies> families, std::string id)
    : families_(std::move(families)),
      labels_({{"model", std::move(id)}}),
      invocations_(families_->invocations, labels_),
      duration_(families_->durations->Get(labels_)),
      first_token_(families_->first_token->Get(labels_)),
      per_token_(families_->per_token->Get(labels_)),
      prompt_tokens_(families_->tokens->Get(With(labels_, "type", "prompt"))),
      completion_tokens_(families_->tokens->Get(With(labels_, "type", "completion"))) {
  families_->invocations->Get(With(labels_, "status", "200"));  // So that rates have a baseline.
}

void ModelMetrics::CountTokens(const Usage& usage) {
  prompt_tokens_->Increment(static_cast<double>(usage.prompt_tokens));
  completion_tokens_->Increment(static_cast<double>(usage.completion_tokens));
}

void ModelMetrics::Retire() {
  invocations_.Retire();
  for (const auto& family : {families_->durations, families_->first_token, families_->per_token}) {
    family->RemoveMatching(labels_);
  }
  families_->tokens->RemoveMatching(labels_);
}

}  // namespace krypton::gateway
