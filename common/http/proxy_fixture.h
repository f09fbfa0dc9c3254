// A forwarding server for tests: every request goes to one origin, as the test's plan says; how
// each ended is kept.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/http/testing.h"
#include "common/testing/wait_for.h"

namespace krypton::http::testing {

class ProxyFixture {
 public:
  using Customise = std::function<void(Exchange&, ForwardPlan&)>;

  explicit ProxyFixture(std::string origin, Customise customise = nullptr,
                        ServerSettings settings = {}, int workers = 1)
      : origin_(*Endpoint::Parse(origin)),
        customise_(std::move(customise)),
        fixture([this](Exchange& exchange, Client& client) { return Serve(exchange, client); },
                std::move(settings), workers) {}

  RawSocket Connect() const { return fixture.Connect(); }

  std::vector<ForwardResult> results() const {
    const std::lock_guard lock(mutex_);
    return results_;
  }
  // The result of the `count`th request, once it is there.
  ForwardResult WaitForResult(size_t count = 1) const {
    WaitFor([&] { return results().size() >= count; });
    const std::vector<ForwardResult> all = results();
    return all.size() >= count ? all[count - 1] : ForwardResult();
  }

 private:
  Task<void> Serve(Exchange& exchange, Client& client) {
    ForwardPlan plan;
    plan.endpoint = origin_;
    if (customise_) customise_(exchange, plan);
    const ForwardResult result = co_await Forward(exchange, client, plan);
    switch (result.end) {
      case ForwardEnd::kAnswered:
      case ForwardEnd::kAborted:
      case ForwardEnd::kClientGone:
      case ForwardEnd::kDetached:
        break;
      case ForwardEnd::kTimedOut:
        co_await exchange.RespondError(ErrorCode::kAgentTimeout, "no answer in time");
        break;
      case ForwardEnd::kBadRequestBody:
        co_await exchange.RespondError(exchange.BodyError());
        break;
      case ForwardEnd::kShutDown:
        co_await exchange.RespondError(ErrorCode::kShuttingDown, "shutting down");
        break;
      default:
        co_await exchange.RespondError(ErrorCode::kAgentUnreachable, "no answer");
    }
    const std::lock_guard lock(mutex_);
    results_.push_back(result);
  }

  Endpoint origin_;
  Customise customise_;
  mutable std::mutex mutex_;
  std::vector<ForwardResult> results_;

 public:
  Fixture fixture;  // Last: it stops before the rest goes.
};

// A script that answers every request of a connection with `answer`, and keeps what it saw.
class Recorder {
 public:
  explicit Recorder(std::string answer) : answer_(std::move(answer)) {}

  Origin::Script script() {
    return [this](RawSocket& socket) {
      while (true) {
        const std::string request = ReadRequest(socket);
        if (request.empty()) return;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        socket.Send(answer_);
      }
    };
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string last() const {
    const std::lock_guard lock(mutex_);
    return requests_.empty() ? "" : requests_.back();
  }

 private:
  const std::string answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
};

inline constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace krypton::http::testing
