// The handler of the traffic port: one request in four named steps.
//
//   parse    route.h        which agent does the target name?
//   find     route_table.h  its dispatcher
//   wait     dispatcher.h   a slot at a replica, or a place in the queue for one (waiting.h)
//   forward  call.h         to the replica and back; again, where the rules allow it (verdict.h)
//
// Handle runs on the request's worker, for many requests at a time on each. The parts that it is
// given outlive it.
#pragma once

#include <string>
#include <utility>

#include "common/http/client.h"
#include "common/http/exchange.h"
#include "gateway/metrics.h"
#include "gateway/route.h"
#include "gateway/route_table.h"
#include "gateway/trusted_proxies.h"

namespace krypton::gateway {

class Gateway {
 public:
  struct Settings {
    int max_hops = 16;  // --max-hops
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
        metrics_(metrics) {}

  http::Task<void> Handle(http::Exchange& exchange);

  // http::ServerSettings::on_end: counts what was refused before a handler saw it.
  void NoteEnd(const http::Exchange& exchange);

 private:
  friend class Call;

  // Before the first snapshot nothing is known to be missing: waits for it.
  http::Task<DispatcherPtr> FindLater(http::Exchange& exchange, Route route);
  http::Task<void> AnswerOtherRoute(http::Exchange& exchange, Route route);

  // The value of krypton-wait.
  const std::string& park_text() const { return park_text_; }

  const Settings settings_;
  const std::string park_text_;
  RouteTable& routes_;
  http::Client& client_;
  GatewayMetrics& metrics_;
};

}  // namespace krypton::gateway
