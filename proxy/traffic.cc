#include "proxy/traffic.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/http/event.h"
#include "common/http/workers.h"

namespace krypton::proxy {
namespace {

using http::ErrorCode;
using http::ForwardEnd;

// Between gateways and sidecars only.
constexpr std::string_view kHopFields[] = {"krypton-wait"};

// It asks for a standing stream; whether it gets one is the agent's answer to say.
bool MayBecomeStream(const http::RequestHead& request) {
  if (request.wants_upgrade) return true;
  return request.method == "GET" &&
         request.fields.Get("accept").find("text/event-stream") != std::string_view::npos;
}

bool IsStream(const http::RequestHead& request, const http::ResponseHead& answer) {
  if (answer.status == 101) return true;
  return request.method == "GET" && answer.is_event_stream();
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseWait(std::string_view value) {
  std::uint32_t milliseconds = 0;
  const char* end = value.data() + value.size();
  const auto [parsed, error] = std::from_chars(value.data(), end, milliseconds);
  if (error != std::errc() || parsed != end) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

std::string FormatLoad(const Limiter::Load& load, int concurrency) {
  return absl::StrCat("inflight=", load.in_flight, ", concurrency=", concurrency,
                      ", parked=", load.parked);
}

Traffic::Traffic(http::Client& client, http::Endpoint agent, Settings settings, Limiter& limiter,
                 Replica& replica, Metrics& metrics, std::function<void()> suspect)
    : client_(client),
      agent_(std::move(agent)),
      settings_(settings),
      limiter_(limiter),
      replica_(replica),
      metrics_(metrics),
      suspect_(std::move(suspect)) {}

http::Task<void> Traffic::Handle(http::Exchange& exchange) {
  Admission admission = co_await Admit(exchange);
  if (admission.refusal.has_value()) {
    co_await Refuse(exchange, *admission.refusal, "the replica is at its limit");
    co_return;
  }
  if (!admission.slot) co_return;  // The caller has gone.

  replica_.Touch();
  const http::RequestHead& request = exchange.request();
  if (MayBecomeStream(request) && !limiter_.HasRoomForStream()) {
    co_await Refuse(exchange, Refusal::kOverCapacity, "too many streams are open");
    co_return;
  }
  const http::ForwardPlan plan = Plan(exchange, admission.slot);
  const http::ForwardResult result = co_await http::Forward(exchange, client_, plan);
  admission.slot.Release();
  replica_.Touch();
  co_await AnswerFor(exchange, result);
}

http::Task<Traffic::Admission> Traffic::Admit(http::Exchange& exchange) {
  auto [slot, refusal] = limiter_.TryAcquire();
  if (refusal == Refusal::kOverCapacity) {
    if (const auto wait = ParseWait(exchange.request().fields.Get("krypton-wait"))) {
      co_return co_await Park(exchange, std::min(*wait, settings_.max_wait));
    }
  }
  co_return Admission{std::move(slot), refusal};
}

http::Task<Traffic::Admission> Traffic::Park(http::Exchange& exchange,
                                             std::chrono::milliseconds wait) {
  http::Worker& worker = exchange.worker();
  const auto event = std::make_shared<http::Event>(worker);
  // Weak: an Event must end on its worker, and `wake` may be destroyed on another.
  const auto parked = limiter_.Park([&worker, weak = std::weak_ptr<http::Event>(event)] {
    worker.Post([weak] {
      if (const auto alive = weak.lock()) alive->Set();
    });
  });
  if (parked == nullptr) co_return Admission{{}, Refusal::kOverCapacity};
  const http::WaitResult end = co_await exchange.WaitFor(*event, http::Clock::now() + wait);
  if (end == http::WaitResult::kCancelled) co_return Admission{};
  Limiter::Parked::Outcome outcome = parked->Take();
  if (!outcome) co_return Admission{{}, Refusal::kOverCapacity};
  co_return Admission{std::move(outcome.slot), outcome.refusal};
}

http::ForwardPlan Traffic::Plan(http::Exchange& exchange, Limiter::Slot& slot) {
  http::ForwardPlan plan{.endpoint = agent_};
  plan.drop_fields = kHopFields;
  plan.deadline = http::Clock::now() + settings_.timeout;
  plan.on_head = [this, &exchange, &slot](const http::ResponseHead& answer,
                                          std::vector<std::string_view>& drop) {
    if (IsStream(exchange.request(), answer) && !slot.BecomeStream()) {
      return http::OnHead::kRefuse;
    }
    // Only the mesh speaks for the mesh: the gateway would send the request again.
    drop.reserve(2);
    drop.push_back("krypton-load");
    drop.push_back("krypton-error");
    AddLoad(exchange);
    return http::OnHead::kPass;
  };
  plan.detach = [this, &slot] {
    const auto kept = std::make_shared<Limiter::Slot>(std::move(slot));
    return [this, kept] {
      kept->Release();
      replica_.Touch();
    };
  };
  plan.on_stream_bytes = [this](std::uint64_t) { replica_.Touch(); };
  return plan;
}

// Answers what Forward has left without an answer.
http::Task<void> Traffic::AnswerFor(http::Exchange& exchange, http::ForwardResult result) {
  switch (result.end) {
    case ForwardEnd::kAnswered:
    case ForwardEnd::kAborted:
    case ForwardEnd::kClientGone:
    case ForwardEnd::kDetached:
      co_return;
    case ForwardEnd::kRefused:
      co_return co_await Refuse(exchange, Refusal::kOverCapacity, "too many streams are open");
    case ForwardEnd::kConnectFailed:
      // The agent saw nothing of it: the gateway may send it elsewhere, or wait.
      suspect_();
      co_return co_await Refuse(exchange, Refusal::kOverCapacity,
                                "the agent does not accept connections");
    case ForwardEnd::kTimedOut:
      AddLoad(exchange);
      co_return co_await exchange.RespondError(ErrorCode::kAgentTimeout,
                                               "the agent did not answer in time");
    case ForwardEnd::kBadRequestBody:
      co_return co_await exchange.RespondError(exchange.BodyError());
    case ForwardEnd::kShutDown:
      if (!result.sent) {
        co_return co_await Refuse(exchange, Refusal::kShuttingDown, "the replica shuts down");
      }
      [[fallthrough]];
    case ForwardEnd::kBroke:
      suspect_();
      AddLoad(exchange);
      co_return co_await exchange.RespondError(ErrorCode::kAgentUnreachable,
                                               "the agent broke the connection before an answer");
  }
}

http::Task<void> Traffic::Refuse(http::Exchange& exchange, Refusal refusal,
                                 std::string_view message) {
  metrics_.CountRejected(refusal);
  AddLoad(exchange);
  if (refusal == Refusal::kShuttingDown) {
    co_await exchange.RespondError(ErrorCode::kShuttingDown, "the replica shuts down");
  } else {
    co_await exchange.RespondError(ErrorCode::kOverCapacity, message);
  }
}

void Traffic::AddLoad(http::Exchange& exchange) {
  exchange.AddResponseHeader("krypton-load",
                             FormatLoad(limiter_.load(), limiter_.settings().concurrency));
}

}  // namespace krypton::proxy
