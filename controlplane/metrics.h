// krypton_api_requests_total{route,method,code} and krypton_api_request_duration_seconds{route},
// for calls by REST and by gRPC alike. All three labels come from fixed sets. Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/family.h"

namespace krypton::controlplane {

class ApiMetrics {
 public:
  // Every route starts at zero.
  ApiMetrics(metrics::Registry& registry, const std::vector<std::string>& routes);

  // `method` is the HTTP method, POST for gRPC; `http_status` the HTTP status, for gRPC that which
  // its code maps to. A stream counts when it ends. `traceparent` may be empty.
  void Count(std::string_view route, std::string_view method, int http_status,
             std::chrono::nanoseconds duration, std::string_view traceparent);

 private:
  std::shared_ptr<metrics::CounterFamily> requests_;
  std::shared_ptr<metrics::HistogramFamily> duration_;
};

}  // namespace krypton::controlplane
