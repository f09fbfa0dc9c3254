#include "proxy/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <utility>
#include <vector>

#include "common/metrics/gauge.h"

namespace krypton::proxy {
namespace {

// Numbers of the moment.
class Gauges : public prometheus::Collectable {
 public:
  Gauges(const metrics::Labels& labels, const Limiter& limiter, const Replica& replica,
         const load::Reporter& reporter)
      : limiter_(limiter), replica_(replica), reporter_(reporter) {
    for (const auto& [name, value] : labels) labels_.push_back({name, value});
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const Limiter::Load load = limiter_.load();
    return {
        Gauge("krypton_proxy_inflight", "Requests in flight at the agent.", load.in_flight),
        Gauge("krypton_proxy_concurrency", "Requests that may be in flight at the agent.",
              limiter_.settings().concurrency),
        Gauge("krypton_proxy_parked", "Requests that wait for a slot.", load.parked),
        Gauge("krypton_proxy_streams", "Streams open to the agent.", load.streams),
        Gauge("krypton_proxy_ready", "1 while the agent takes requests and does not drain.",
              replica_.state() == v1::ENDPOINT_STATE_READY),
        Gauge("krypton_proxy_report_connected", "1 while the manager takes load reports.",
              reporter_.status().connected),
    };
  }

 private:
  prometheus::MetricFamily Gauge(std::string name, std::string help, double value) const {
    return metrics::Gauge(std::move(name), std::move(help), value, labels_);
  }

  const Limiter& limiter_;
  const Replica& replica_;
  const load::Reporter& reporter_;
  std::vector<prometheus::ClientMetric::Label> labels_;
};

metrics::Labels With(metrics::Labels labels, std::string name, std::string value) {
  labels[std::move(name)] = std::move(value);
  return labels;
}

}  // namespace

Metrics::Metrics(metrics::Registry& registry, Labels labels)
    : registry_(registry),
      labels_{{"agent", labels.agent}, {"namespace", labels.agent_namespace}},
      requests_(metrics::CounterFamily::Make(registry, "krypton_proxy_requests_total",
                                             "Requests by the status that the caller saw.")) {
  auto rejected = metrics::CounterFamily::Make(registry, "krypton_proxy_rejected_total",
                                               "Requests that the agent never saw, by reason.");
  rejected_ = {rejected->Get(With(labels_, "reason", "over_capacity")),
               rejected->Get(With(labels_, "reason", "shutting_down"))};
}

void Metrics::Observe(const Limiter& limiter, const Replica& replica,
                      const load::Reporter& reporter) {
  registry_.Add(std::make_shared<Gauges>(labels_, limiter, replica, reporter));
}

void Metrics::CountRequest(int status) {
  if (status < 100 || status >= kMaxStatus) return;
  auto& known = known_[status];
  prometheus::Counter* counter = known.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // The family keeps it for as long as we live: nothing here is ever removed.
    counter = requests_->Get(With(labels_, "code", std::to_string(status))).get();
    known.store(counter, std::memory_order_release);
  }
  counter->Increment();
}

void Metrics::CountRejected(Refusal reason) {
  rejected_[reason == Refusal::kShuttingDown ? 1 : 0]->Increment();
}

}  // namespace krypton::proxy
