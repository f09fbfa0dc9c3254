// The series of one model (design.md §4 Metrics), under the id by which it answers: the handles
// that its requests touch. When the model is deleted, or its id changes because another model has
// given up the bare name, they retire, and the model gets others. Any thread.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/metrics/family.h"
#include "common/metrics/trace.h"
#include "gateway/openai/usage.h"
#include "gateway/status_counters.h"

namespace krypton::gateway {

struct ModelFamilies {
  explicit ModelFamilies(metrics::Registry& registry);

  std::shared_ptr<metrics::CounterFamily> invocations;
  std::shared_ptr<metrics::HistogramFamily> durations;
  std::shared_ptr<metrics::CounterFamily> tokens;
  std::shared_ptr<metrics::HistogramFamily> first_token;
  std::shared_ptr<metrics::HistogramFamily> per_token;
};

class ModelMetrics {
 public:
  ModelMetrics(std::shared_ptr<ModelFamilies> families, std::string id);

  void CountInvocation(int status) { invocations_.Count(status); }
  // `trace`: the sampled trace that the call belongs to, if any.
  void ObserveDuration(double seconds, metrics::TraceId trace = {}) {
    duration_->Observe(seconds, trace);
  }
  void CountTokens(const Usage& usage);
  // Of streamed answers, seconds.
  void ObserveFirstToken(double seconds) { first_token_->Observe(seconds); }
  void ObservePerToken(double seconds) { per_token_->Observe(seconds); }

  // Its series leave /metrics.
  void Retire();

 private:
  const std::shared_ptr<ModelFamilies> families_;
  const metrics::Labels labels_;
  StatusCounters invocations_;
  std::shared_ptr<metrics::Histogram> duration_;
  std::shared_ptr<metrics::Histogram> first_token_;
  std::shared_ptr<metrics::Histogram> per_token_;
  std::shared_ptr<prometheus::Counter> prompt_tokens_;
  std::shared_ptr<prometheus::Counter> completion_tokens_;
};

}  // namespace krypton::gateway
