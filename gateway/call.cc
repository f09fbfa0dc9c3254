#include "gateway/call.h"

#include <charconv>
#include <utility>

#include "gateway/agent_card.h"

namespace krypton::gateway {
namespace {

constexpr std::string_view kMcpSession = "mcp-session-id";

double SecondsBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

std::optional<int> CardOf(const Route& route, const http::RequestHead& request,
                          const CallPolicy& policy) {
  if (!policy.is_a2a || !route.query.empty()) return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  return CardIndex(route.rest);
}

// Between gateways and sidecars only.
constexpr std::string_view kHopFields[] = {"krypton-wait"};

std::string_view SessionIn(const http::Fields& fields, const CallPolicy& policy) {
  const std::string_view session = fields.Get(kMcpSession);
  if (!session.empty() || policy.affinity_header.empty()) return session;
  return fields.Get(policy.affinity_header);
}

// As far as a request shows it: an upgrade, or a GET that wants nothing but events.
bool WantsStream(const http::RequestHead& request) {
  return request.wants_upgrade ||
         (request.method == "GET" && request.fields.Get("accept") == "text/event-stream");
}

bool IsStream(const http::RequestHead& request, const http::ResponseHead& answer) {
  return answer.status == 101 || (request.method == "GET" && answer.is_event_stream());
}

}  // namespace

Call::Call(Gateway& gateway, http::Exchange& exchange, const Route& route, const RequestId& id,
           DispatcherPtr dispatcher, ModelCall* model)
    : gateway_(gateway),
      exchange_(exchange),
      request_(exchange.request()),
      route_(route),
      id_(id),
      dispatcher_(std::move(dispatcher)),
      model_(model),
      policy_(dispatcher_->policy()),
      card_(CardOf(route, request_, *policy_)),
      ticket_(dispatcher_) {
  ticket_.session = SessionIn(request_.fields, *policy_);
  ticket_.wants_stream = WantsStream(request_);
}

http::Task<void> Call::Run() {
  if (card_ && !dispatcher_->HasReadyEndpoint()) {
    const bool answered = co_await AnswerKeptCard();
    if (answered) co_return;
  }
  std::optional<http::Error> error;
  if (dispatcher_->TryEnter(ticket_, exchange_.started()) != Place::kGranted) {
    error = co_await GetSlot();
  }
  while (!error) {
    Verdict verdict;
    if (card_) {
      verdict = co_await FetchCard();
    } else {
      verdict = co_await Forward();
    }
    if (verdict.done()) {
      if (!detached_) dispatcher_->Leave(ticket_, /*answered=*/true, http::Clock::now());
      co_return;
    }
    error = std::move(verdict.error);
    if (verdict.again) error = co_await GetAnotherSlot(*verdict.again);
  }
  // Nobody else waits for what this call holds while its client reads the error.
  dispatcher_->Leave(ticket_, /*answered=*/false, http::Clock::now());
  if (exchange_.cancelled() == http::Cancelled::kClientGone) co_return;
  co_await AnswerError(*std::move(error));
}

http::Task<void> Call::AnswerError(http::Error error) {
  dispatcher_->metrics().CountError(error.code);
  if (model_ != nullptr) model_->AddRetryFields(error, delivered_);
  return exchange_.RespondError(std::move(error));
}

http::Task<std::optional<http::Error>> Call::GetSlot() {
  const Place place = dispatcher_->Enter(ticket_, waiting().MakeWake(), http::Clock::now());
  std::optional<http::Error> error = co_await waiting().Wait(ticket_, place);
  if (ticket_.waited()) {
    dispatcher_->metrics().ObserveWait(SecondsBetween(ticket_.queued_at(), http::Clock::now()));
  }
  co_return error;
}

http::Task<std::optional<http::Error>> Call::GetAnotherSlot(Setback setback) {
  dispatcher_->metrics().CountRetry(ReasonOf(setback));
  broke_before_ |= setback == Setback::kBroke;
  refusal_.reset();
  const Place place =
      dispatcher_->Reenter(ticket_, setback, waiting().MakeWake(), http::Clock::now());
  std::optional<http::Error> error = co_await waiting().Wait(ticket_, place);
  if (error && error->code == http::ErrorCode::kAgentTimeout && setback == Setback::kUnreachable) {
    error = http::Error{.code = http::ErrorCode::kAgentUnreachable,
                        .message = "no connection to any replica could be made"};
  }
  co_return error;
}

http::Task<Verdict> Call::Forward() {
  const http::ForwardResult result =
      co_await http::Forward(exchange_, gateway_.client_, MakePlan());
  is_stream_ = result.stream;
  delivered_ |= result.sent && result.end != http::ForwardEnd::kRefused;
  if (result.end == http::ForwardEnd::kBadRequestBody) {
    co_return Verdict{.again = std::nullopt, .error = exchange_.BodyError()};
  }
  co_return Judge(result, refusal_, broke_before_, request_);
}

http::ForwardPlan Call::MakePlan() {
  http::ForwardPlan plan;
  plan.endpoint = ticket_.endpoint()->address;
  plan.target = TargetFor(route_, policy_->invocation_path).ToString();
  plan.host = policy_->host;
  plan.drop_fields = kHopFields;
  plan.set_fields.reserve(3);  // With one of a model.
  plan.set_fields.push_back({RequestId::kField, id_.value()});
  plan.as_gateway = true;
  plan.prefix = route_.prefix;
  plan.trust_forwarded = IsTrusted();
  plan.deadline = http::Clock::now() + policy_->timeout;
  if (model_ != nullptr) model_->Prepare(plan);
  if (ticket_.may_park()) {
    plan.set_fields.push_back({"krypton-wait", gateway_.park_text()});
    plan.deadline += gateway_.settings_.park;
  }
  if (model_ == nullptr) plan.detach = [this] { return Detach(); };
  plan.on_head = [this](const http::ResponseHead& head, std::vector<std::string_view>& drop) {
    return NoteHead(head, drop);
  };
  return plan;
}

namespace {

// The end of an agent's answer.
void CountAnswer(ResourceMetrics& series, const http::Exchange& exchange, bool is_stream,
                 metrics::TraceId trace) {
  series.CountInvocation(exchange.status() != 0 ? exchange.status() : 502);
  if (is_stream) return;
  series.ObserveDuration(SecondsBetween(exchange.started(), http::Clock::now()), trace);
}

// What an answer of events holds and owes while it passes.
struct OpenStream {
  OpenStream(DispatcherPtr place, const http::Exchange& counted)
      : dispatcher(std::move(place)), ticket(dispatcher), exchange(counted) {}

  void End() {
    dispatcher->Leave(ticket, /*answered=*/true, http::Clock::now());
    CountAnswer(dispatcher->metrics(), exchange, is_stream, trace);
  }

  const DispatcherPtr dispatcher;
  Ticket ticket;
  const http::Exchange& exchange;
  bool is_stream = false;
  metrics::TraceId trace;
};

}  // namespace

std::function<void()> Call::Detach() {
  const auto open = std::make_shared<OpenStream>(dispatcher_, exchange_);
  dispatcher_->Transfer(ticket_, open->ticket);
  open->is_stream = request_.method == "GET";
  if (!open->is_stream) open->trace = metrics::SampledTrace(request_.fields.Get("traceparent"));
  detached_ = true;
  return [open] { open->End(); };
}

http::OnHead Call::NoteHead(const http::ResponseHead& head, std::vector<std::string_view>& drop) {
  refusal_ = RefusalOf(head);
  if (refusal_) return http::OnHead::kRefuse;
  drop.reserve(2);
  drop.push_back("krypton-load");
  drop.push_back(RequestId::kField);  // The answer has it already.
  LearnSession(head);
  if (model_ != nullptr) model_->OnHead(head);
  if (IsStream(request_, head)) dispatcher_->BecomeStream(ticket_, http::Clock::now());
  NoteFirstByte();
  return http::OnHead::kPass;
}

void Call::NoteFirstByte() {
  if (!ticket_.waited()) return;
  const double first_byte = SecondsBetween(ticket_.granted_at(), http::Clock::now());
  if (ticket_.first_after_wake()) dispatcher_->metrics().ObserveFirstByte(first_byte);
  std::optional<StartStages> stages;
  if (ticket_.was_cold()) stages = dispatcher_->StagesOfEndpoint(ticket_);
  exchange_.AddResponseHeader(
      "server-timing",
      ServerTiming(stages, SecondsBetween(ticket_.queued_at(), ticket_.granted_at()), first_byte));
}

// The first replica whose answer carries a session keeps it; so does the one that answered a
// session which nobody was known to have.
void Call::LearnSession(const http::ResponseHead& head) {
  std::string_view session = SessionIn(head.fields, *policy_);
  if (session.empty() && head.status < 300) session = ticket_.session;
  if (!session.empty()) dispatcher_->LearnSession(ticket_, session);
}

Waiting& Call::waiting() {
  if (!waiting_) waiting_.emplace(exchange_, *dispatcher_, *policy_);
  return *waiting_;
}

void Call::Count() const {
  if (detached_) return;
  if (model_ != nullptr) return model_->Count(exchange_.status() != 0 ? exchange_.status() : 502);
  CountAnswer(dispatcher_->metrics(), exchange_, is_stream_,
              metrics::SampledTrace(request_.fields.Get("traceparent")));
}

}  // namespace krypton::gateway
