// One replica as a dispatcher knows it, and the choice between replicas. Endpoints belong to their
// dispatcher, whose lock guards `load`; what is const may be read by any thread that holds one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/client.h"
#include "common/http/timer_wheel.h"
#include "krypton/v1/registry.pb.h"

namespace krypton::gateway {

using http::TimePoint;

// How long the stages of a replica's start took, in seconds.
struct StartStages {
  double decide = 0;
  double start = 0;
  double ready = 0;
};

struct Endpoint {
  Endpoint(std::string its_instance, http::Endpoint its_address)
      : instance(std::move(its_instance)), address(std::move(its_address)) {}

  const std::string instance;
  const http::Endpoint address;

  // Guarded by the dispatcher's lock from here on.
  struct Load {
    bool ready = false;
    // The sidecar said `shutting_down`, whatever the registry still says.
    bool leaving = false;
    int concurrency = 1;
    int in_flight = 0;
    int streams = 0;
    // It refused a request or did not accept a connection: not asked again before then.
    TimePoint avoid_until{};
    // Refusals in a row.
    int refusals = 0;

    bool Serves() const { return ready && !leaving; }
  };
  Load load;
  // As the registry said it last.
  v1::Endpoint registered;
};

using EndpointPtr = std::shared_ptr<Endpoint>;

// What one request asks of its endpoint.
struct Wish {
  // The instance that has the request's session; empty: none has.
  std::string_view pinned;
  // It will become a stream if the agent agrees: a replica whose streams are all taken is no use.
  bool stream = false;
  // Not this one while another serves: it has just failed.
  const Endpoint* avoid = nullptr;
};

// The endpoint that takes the request now: one that serves, with the fewest requests of our own in
// flight and below its concurrency; among equals the one that `random` says. A session's own
// replica is waited for as long as it serves. Null: none, the request has to wait. Pure.
EndpointPtr ChooseEndpoint(const std::vector<EndpointPtr>& endpoints, const Wish& wish,
                           int max_streams, TimePoint now, uint32_t random);

// Whether any of them could take a request at once (not counting `but`).
bool AnyFree(const std::vector<EndpointPtr>& endpoints, TimePoint now, const Endpoint* but);

// The earliest moment at which an endpoint that is only being avoided may be asked again; kNever:
// there is none such.
TimePoint NextRetry(const std::vector<EndpointPtr>& endpoints, TimePoint now);

// The endpoints that `said` names: those that are `known` stay the same objects. An endpoint
// without a usable address is left out (a replica that starts has none yet).
std::vector<EndpointPtr> MergeEndpoints(
    const std::vector<EndpointPtr>& known,
    const google::protobuf::RepeatedPtrField<v1::Endpoint>& said);

// Of a replica that was started for a waiting request.
std::optional<StartStages> StagesOf(const Endpoint& endpoint);

}  // namespace krypton::gateway
