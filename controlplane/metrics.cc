#include "controlplane/metrics.h"

#include "common/metrics/trace.h"

namespace krypton::controlplane {

ApiMetrics::ApiMetrics(metrics::Registry& registry, const std::vector<std::string>& routes)
    : requests_(metrics::CounterFamily::Make(registry, "krypton_api_requests_total",
                                             "Calls of the control plane's API.")),
      duration_(metrics::HistogramFamily::Make(
          registry, "krypton_api_request_duration_seconds",
          "How long calls of the control plane's API took; a stream from its begin to its end.",
          {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10})) {
  for (const std::string& route : routes) {
    for (const char* method : {"GET", "POST"}) {
      requests_->Get({{"route", route}, {"method", method}, {"code", "200"}});
    }
    duration_->Get({{"route", route}});
  }
}

void ApiMetrics::Count(std::string_view route, std::string_view method, int http_status,
                       std::chrono::nanoseconds duration, std::string_view traceparent) {
  requests_
      ->Get({{"route", std::string(route)},
             {"method", std::string(method)},
             {"code", std::to_string(http_status)}})
      ->Increment();
  duration_->Get({{"route", std::string(route)}})
      ->Observe(std::chrono::duration<double>(duration).count(),
                metrics::SampledTrace(traceparent));
}

}  // namespace krypton::controlplane
