#include "common/http/forward.h"

#include <utility>

#include "common/http/forward_head.h"
#include "common/http/forwarding.h"
#include "common/http/response.h"
#include "common/http/tunnel.h"

namespace krypton::http {

RequestState::RequestState() = default;
RequestState::~RequestState() = default;

bool ForwardResult::MayRetry(const RequestHead& request) const {
  if (!replayable) return false;
  switch (end) {
    case ForwardEnd::kConnectFailed:
    case ForwardEnd::kRefused:
      return true;
    case ForwardEnd::kBroke:
      return !sent || request.idempotent();
    default:
      return false;
  }
}

Task<ForwardResult> Forward(Exchange& exchange, Client& client, const ForwardPlan& plan) {
  auto forwarding = std::make_unique<Forwarding>(exchange, client, plan);
  const ForwardResult result = co_await forwarding->Run();
  if (result.end == ForwardEnd::kDetached) {
    exchange.core().state->detached = std::move(forwarding);
  }
  co_return result;
}

Forwarding::Forwarding(Exchange& exchange, Client& client, const ForwardPlan& plan)
    : exchange_(exchange),
      core_(exchange.core()),
      state_(*core_.state),
      pool_(client.pool(core_.worker())),
      plan_(plan),
      as_gateway_(plan.as_gateway),
      deadline_(plan.deadline),
      stream_idle_timeout_(plan.stream_idle_timeout),
      on_stream_bytes_(plan.on_stream_bytes),
      on_answer_body_(plan.on_answer_body),
      limits_{client.settings().max_head_bytes, client.settings().max_head_bytes,
              client.settings().max_fields},
      pump_done_(core_.worker()) {
  state_.listener = this;
  drain_stream_ = state_.cancelled == Cancelled::kDraining;
}

Forwarding::~Forwarding() { state_.listener = nullptr; }

Task<ForwardResult> Forwarding::Run() {
  if (core_.hard_cancelled()) {
    EndInterrupted();
    co_return result_;
  }
  bool fresh = false;
  do {
    result_.sent = false;
    const bool connected = co_await Acquire(fresh);
    if (!connected) break;
    co_await Attempt();
    if (detached()) co_return result_;
    if (pumping_) co_await StopPump();
    result_.replayable = state_.held_all && !state_.body_failed;
    upstream_.reset();
    // A connection of the pool that broke before a byte had grown stale: the endpoint may be well.
    fresh = true;
  } while (MayTryAgain());
  core_.ResumeWatch();
  result_.status = state_.status;
  co_return result_;
}

bool Forwarding::MayTryAgain() const {
  return result_.end == ForwardEnd::kBroke && result_.reused_connection &&
         result_.first_byte == TimePoint() && result_.MayRetry(state_.head) &&
         !core_.hard_cancelled();
}

Task<bool> Forwarding::Acquire(bool fresh) {
  result_.reused_connection = false;
  if (!fresh) upstream_ = pool_.Take(plan_.endpoint, !state_.head.idempotent());
  if (upstream_) {
    result_.reused_connection = true;
    result_.connected = core_.worker().Now();
    co_return true;
  }
  core_.Watch();
  auto connected = co_await ConnectTo(pool_, plan_.endpoint, plan_.deadline);
  if (core_.hard_cancelled()) {
    EndInterrupted();
    co_return false;
  }
  result_.connected = core_.worker().Now();
  if (!connected.ok()) {
    End(ForwardEnd::kConnectFailed);
    co_return false;
  }
  upstream_ = std::move(*connected);
  co_return true;
}

Task<void> Forwarding::Attempt() {
  const bool sent = co_await SendRequest();
  if (!sent) co_return;
  if (!state_.body.done()) {
    pumping_ = true;
    core_.worker().Spawn(PumpRequest());
  }
  const bool answered = co_await ReadAnswer();
  if (!answered) co_return;
  event_stream_ = upstream_->head.is_event_stream();
  result_.stream = state_.head.method == "GET" && event_stream_;
  result_.stream |= upstream_->head.status == 101;
  if (plan_.on_head && plan_.on_head(upstream_->head, drop_) == OnHead::kRefuse) {
    End(ForwardEnd::kRefused);
    if (SwallowAnswer() && !pumping_) Release();
    co_return;
  }
  if (upstream_->head.status == 101) {
    co_await PassUpgrade();
  } else {
    co_await PassAnswer();
  }
}

namespace {

// Puts the framing of a chunked body around `pieces`: the size before, the line end behind, and
// with `trailers` (whole lines) the end of the body.
void Frame(IoVecs& vecs, const IoVecs& pieces, char* size, const std::string* end_of_body) {
  if (!pieces.empty()) vecs.Add(ChunkHeader(size, pieces.bytes()));
  vecs.AddAll(pieces);
  if (!pieces.empty()) vecs.Add("\r\n");
  if (end_of_body) vecs.Add(*end_of_body);
}

void EndOfBody(std::string& out, const Fields& trailers) {
  out.append("0\r\n");
  AppendTrailers(out, trailers);
  out.append("\r\n");
}

}  // namespace

Task<bool> Forwarding::SendRequest() {
  ScratchString head(core_.worker().buffers());
  ForwardedRequest to{.peer = core_.peer,
                      .pass_expect = state_.head.expect_continue && !state_.continue_sent,
                      .collected = std::nullopt};
  if (plan_.collected) to.collected = state_.held.size();
  AppendForwardedRequest(*head, state_.head, plan_, to);
  IoVecs pieces;
  pieces.Add(state_.held);
  if (pieces.empty() && !core_.TakeBody(pieces)) {
    End(ForwardEnd::kBadRequestBody);
    co_return false;
  }
  if (plan_.on_request_body) plan_.on_request_body(pieces, /*first=*/true, state_.body.done());
  char size[kMaxChunkHeader];
  std::string end_of_body;
  IoVecs vecs;
  vecs.Add(*head);
  if (SendsChunked()) {
    if (state_.body.done()) EndOfBody(end_of_body, state_.body.trailers());
    Frame(vecs, pieces, size, &end_of_body);
  } else {
    vecs.AddAll(pieces);
  }
  const size_t all = vecs.bytes();
  WriteEnd end = upstream_->socket.TryWrite(vecs);
  if (end == WriteEnd::kBlocked) {
    end = co_await upstream_->socket.WriteRest(vecs, core_.limits().write_timeout);
  }
  core_.in.ReleaseIfEmpty();
  // Whatever was held to be looked at: from here on a body counts as replayable up to the limit.
  if (!plan_.collected) state_.held_limit = core_.limits().replay_bytes;
  result_.sent = vecs.bytes() < all;
  if (end == WriteEnd::kDone) co_return true;
  End(ForwardEnd::kBroke);
  if (end == WriteEnd::kInterrupted) EndInterrupted();
  co_return false;
}

// Writes pieces of the body to the endpoint, framed as the request says.
Task<bool> Forwarding::SendPieces(IoVecs pieces) {
  char size[kMaxChunkHeader];
  std::string end_of_body;
  IoVecs vecs;
  if (SendsChunked()) {
    if (state_.body.done()) EndOfBody(end_of_body, state_.body.trailers());
    Frame(vecs, pieces, size, &end_of_body);
  } else {
    vecs.AddAll(pieces);
  }
  const WriteEnd end = co_await upstream_->socket.WriteRest(vecs, core_.limits().write_timeout);
  co_return end == WriteEnd::kDone;
}

// Passes the rest of the client's body on. When that fails, the main coroutine is told by an
// interrupt of the endpoint's socket; when the endpoint no longer takes it, there may still be an
// answer to read, so nothing is said.
Task<void> Forwarding::PumpRequest() {
  bool good = true;
  while (good && !stop_pump_ && !state_.body.done()) {
    if (core_.in.empty()) {
      const bool filled = co_await core_.FillBody();
      if (!filled) break;
    }
    IoVecs pieces;
    if (!core_.TakeBody(pieces)) break;
    if (plan_.on_request_body) plan_.on_request_body(pieces, /*first=*/false, state_.body.done());
    if (pieces.empty() && !state_.body.done()) continue;
    good = co_await SendPieces(pieces);
    core_.in.ReleaseIfEmpty();
  }
  if (state_.body_failed && !stop_pump_) upstream_->socket.Interrupt();
  pumping_ = false;
  core_.ResumeWatch();
  pump_done_.Set();
}

Task<void> Forwarding::StopPump() {
  stop_pump_ = true;
  core_.socket.Interrupt();
  upstream_->socket.Interrupt();
  co_await pump_done_.Wait();
  if (!core_.hard_cancelled()) core_.socket.ClearInterrupt();
}

void Forwarding::OnCancelled(Cancelled reason) {
  if (reason == Cancelled::kDraining) {
    drain_stream_ = true;
    if (tunnel_) tunnel_->Drain();
    if (result_.stream && upstream_) upstream_->socket.Poke();
    return;
  }
  if (upstream_) upstream_->socket.Interrupt();
}

// What an interrupt of the endpoint's socket was for.
void Forwarding::EndInterrupted() {
  if (state_.cancelled == Cancelled::kClientGone) {
    End(ForwardEnd::kClientGone);
  } else if (core_.hard_cancelled()) {
    End(state_.head_sent ? ForwardEnd::kAborted : ForwardEnd::kShutDown);
  } else if (state_.body_failed) {
    End(state_.head_sent ? ForwardEnd::kAborted : ForwardEnd::kBadRequestBody);
  }
  if (state_.head_sent && !state_.finished) core_.abort = true;
}

// The connection goes back to the pool where the answer left it clean.
void Forwarding::Release() {
  if (!upstream_->head.keep_alive || !answer_.done() || !upstream_->in.empty()) return;
  if (upstream_->head.framing == Framing::kUntilClose || !state_.body.done() || pumping_) return;
  if (core_.hard_cancelled()) return;
  // After an event stream many servers close without having announced it, llama.cpp's among them:
  // the next request would meet that. The sidecar does not.
  if (!as_gateway_ && event_stream_) return;
  pool_.Give(std::move(upstream_));
}

}  // namespace krypton::http
