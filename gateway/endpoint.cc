#include "gateway/endpoint.h"

#include <algorithm>
#include <climits>

namespace krypton::gateway {
namespace {

bool IsFree(const Endpoint::Load& load, TimePoint now) {
  return load.Serves() && load.in_flight < load.concurrency && load.avoid_until <= now;
}

const EndpointPtr* FindServing(const std::vector<EndpointPtr>& endpoints,
                               std::string_view instance) {
  for (const EndpointPtr& endpoint : endpoints) {
    if (endpoint->instance == instance && endpoint->load.Serves()) return &endpoint;
  }
  return nullptr;
}

bool ServesBeside(const std::vector<EndpointPtr>& endpoints, const Endpoint* one) {
  return std::ranges::any_of(endpoints, [&](const EndpointPtr& endpoint) {
    return endpoint.get() != one && endpoint->load.Serves();
  });
}

}  // namespace

EndpointPtr ChooseEndpoint(const std::vector<EndpointPtr>& endpoints, const Wish& wish,
                           int max_streams, TimePoint now, uint32_t random) {
  const auto suits = [&](const Endpoint& endpoint) {
    return IsFree(endpoint.load, now) && (!wish.stream || endpoint.load.streams < max_streams);
  };
  if (!wish.pinned.empty()) {
    const EndpointPtr* pinned = FindServing(endpoints, wish.pinned);
    if (pinned != nullptr) return suits(**pinned) ? *pinned : nullptr;
  }
  const Endpoint* avoid = wish.avoid;
  if (avoid != nullptr && !ServesBeside(endpoints, avoid)) avoid = nullptr;
  int fewest = INT_MAX;
  uint32_t equals = 0;
  for (const EndpointPtr& endpoint : endpoints) {
    if (!suits(*endpoint) || endpoint.get() == avoid) continue;
    if (endpoint->load.in_flight < fewest) equals = 0;
    if (endpoint->load.in_flight > fewest) continue;
    fewest = endpoint->load.in_flight;
    ++equals;
  }
  if (equals == 0) return nullptr;
  uint32_t turn = random % equals;
  for (const EndpointPtr& endpoint : endpoints) {
    if (!suits(*endpoint) || endpoint.get() == avoid) continue;
    if (endpoint->load.in_flight == fewest && turn-- == 0) return endpoint;
  }
  return nullptr;
}

bool AnyFree(const std::vector<EndpointPtr>& endpoints, TimePoint now, const Endpoint* but) {
  return std::ranges::any_of(endpoints, [&](const EndpointPtr& endpoint) {
    return endpoint.get() != but && IsFree(endpoint->load, now);
  });
}

TimePoint NextRetry(const std::vector<EndpointPtr>& endpoints, TimePoint now) {
  TimePoint earliest = http::kNever;
  for (const EndpointPtr& endpoint : endpoints) {
    const Endpoint::Load& load = endpoint->load;
    if (load.Serves() && load.in_flight < load.concurrency && load.avoid_until > now) {
      earliest = std::min(earliest, load.avoid_until);
    }
  }
  return earliest;
}

std::vector<EndpointPtr> MergeEndpoints(
    const std::vector<EndpointPtr>& known,
    const google::protobuf::RepeatedPtrField<v1::Endpoint>& said) {
  std::vector<EndpointPtr> merged;
  merged.reserve(said.size());
  for (const v1::Endpoint& registered : said) {
    const auto same = std::ranges::find_if(known, [&](const EndpointPtr& endpoint) {
      return endpoint->instance == registered.instance() &&
             endpoint->address.address() == registered.address();
    });
    EndpointPtr endpoint;
    if (same != known.end()) {
      endpoint = *same;
    } else {
      absl::StatusOr<http::Endpoint> address = http::Endpoint::Parse(registered.address());
      if (!address.ok()) continue;
      endpoint = std::make_shared<Endpoint>(registered.instance(), *std::move(address));
    }
    endpoint->registered = registered;
    endpoint->load.ready = registered.state() == v1::ENDPOINT_STATE_READY;
    endpoint->load.concurrency = std::max(registered.concurrency(), 1);
    merged.push_back(std::move(endpoint));
  }
  return merged;
}

std::optional<StartStages> StagesOf(const Endpoint& endpoint) {
  if (!endpoint.registered.has_start_timing()) return std::nullopt;
  const auto seconds = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(duration.seconds()) + duration.nanos() * 1e-9;
  };
  const v1::StartTiming& timing = endpoint.registered.start_timing();
  return StartStages{.decide = seconds(timing.decide()),
                     .start = seconds(timing.start()),
                     .ready = seconds(timing.ready())};
}

}  // namespace krypton::gateway
