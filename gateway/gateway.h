// The handler of the traffic port: one request in four named steps.
//
//   parse    route.h        which agent does the target name? (model_request.h: which model the
//   body?) find     route_table.h  its dispatcher (model_table.h) wait     dispatcher.h   a slot at
//   a replica, or a place in the queue for one (waiting.h) forward  call.h         to the replica
//   and back; again, where the rules allow it (verdict.h)
//
// Handle runs on the request's worker, for many requests at a time on each. The parts that it is
// given outlive it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/http/client.h"
#include "common/http/exchange.h"
#include "gateway/metrics.h"
#include "gateway/model_request.h"
#include "gateway/request_id.h"
#include "gateway/route.h"
#include "gateway/route_table.h"
#include "gateway/trusted_proxies.h"

namespace krypton::gateway {

class Gateway {
 public:
  struct Settings {
    int max_hops = 16;                           // --max-hops
    size_t model_scan_bytes = 1 << 20;           // --model-scan-bytes
    size_t model_scan_memory_bytes = 256 << 20;  // --model-scan-memory-bytes
    // A request's body that comes slowly holds a replica's slot: --model-body-rate, and how long it
    // may fall behind (both Apache's mod_reqtimeout).
    uint64_t model_body_bytes_per_second = 500;
    milliseconds model_body_patience{20'000};
    TrustedProxies trusted_proxies;
    // How long a sidecar may park a request of ours, when no other replica could take it. Long
    // against a turn in its queue, short against the start of another replica.
    milliseconds park{250};
    // How long a request that comes before the first snapshot of the registry waits for it.
    milliseconds first_snapshot_patience{30'000};
  };

  Gateway(Settings settings, RouteTable& routes, http::Client& client, GatewayMetrics& metrics)
      : settings_(std::move(settings)),
        park_text_(std::to_string(settings_.park.count())),
        routes_(routes),
        client_(client),
        metrics_(metrics),
        scan_budget_(settings_.model_scan_memory_bytes) {}

  http::Task<void> Handle(http::Exchange& exchange);

  // http::ServerSettings::on_end: counts what was refused before a handler saw it.
  void NoteEnd(const http::Exchange& exchange);

 private:
  friend class Call;

  http::Task<void> HandleAgentCall(http::Exchange& exchange, const Route& route,
                                   const RequestId& id);
  // Both in model_handler.cc.
  http::Task<void> HandleModelCall(http::Exchange& exchange, const Route& route,
                                   const RequestId& id);
  http::Task<void> AnswerModels(http::Exchange& exchange, const Route& route);
  // Before the first snapshot nothing is known to be missing: waits for it.
  http::Task<void> AwaitSnapshot(http::Exchange& exchange);

  // The value of krypton-wait.
  const std::string& park_text() const { return park_text_; }

  const Settings settings_;
  const std::string park_text_;
  RouteTable& routes_;
  http::Client& client_;
  GatewayMetrics& metrics_;
  ScanBudget scan_budget_;
  // The context of a request to a model that is not known, or not yet.
  const std::shared_ptr<void> unknown_model_ = std::make_shared<int>();
};

}  // namespace krypton::gateway
