// A request's side of the queue: suspends its coroutine until the dispatcher has a slot for it, it
// has waited long enough, or its client is gone. Lives in the request's coroutine, on its worker.
#pragma once

#include <memory>
#include <optional>

#include "common/http/event.h"
#include "common/http/exchange.h"
#include "gateway/dispatcher.h"

namespace krypton::gateway {

class Waiting {
 public:
  // Bounds all waits of this request together: spec.startupTimeout and spec.timeout from now.
  Waiting(http::Exchange& exchange, Dispatcher& dispatcher, const CallPolicy& policy);
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  // For the dispatcher's Enter and Reenter.
  Wake MakeWake() const;
  // Until `ticket`, which is at `place`, has a slot: then nullopt. Otherwise the error to answer. A
  // wait without any ready replica ends after spec.startupTimeout (start_timeout).
  http::Task<std::optional<http::Error>> Wait(Ticket& ticket, Place place);

 private:
  // Where wakes go: it outlives the request, they may come late.
  struct Target {
    http::Worker& worker;
    http::Event* event;  // Null once the request is over. The worker's own.
  };

  http::Exchange& exchange_;
  Dispatcher& dispatcher_;
  const milliseconds startup_timeout_;
  const TimePoint deadline_;
  http::Event event_;
  const std::shared_ptr<Target> target_;
};

}  // namespace krypton::gateway
