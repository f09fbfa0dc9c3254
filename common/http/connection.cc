#include "common/http/connection.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "common/http/forwarding.h"
#include "common/http/response.h"
#include "common/http/shard.h"
#include "common/log/log.h"

namespace krypton::http {
namespace {

// How long and how much a client may still send after an answer that came early, before we close.
constexpr milliseconds kLingerTime{2'000};
constexpr size_t kLingerBytes = 1 << 20;

Error TimeoutError(std::string message) {
  return {.code = ErrorCode::kRequestTimeout, .message = std::move(message), .param = {}};
}

}  // namespace

ConnectionCore::ConnectionCore(ServerShard& owner, int fd, std::string peer_address)
    : shard(owner), socket(owner.worker, fd), peer(std::move(peer_address)) {
  shard.Add(*this);
}

ConnectionCore::~ConnectionCore() {
  in.Release();
  socket.Close();
  shard.Remove(*this);
}

Worker& ConnectionCore::worker() const { return shard.worker; }

const Limits& ConnectionCore::limits() const { return shard.settings.limits; }

Task<void> ConnectionCore::Run(std::unique_ptr<ConnectionCore> self) {
  const std::unique_ptr<ConnectionCore> owned = std::move(self);
  co_await owned->Loop();
  if (owned->linger && !owned->abort) co_await owned->LingerClose();
}

Task<void> ConnectionCore::Loop() {
  TimePoint deadline = worker().Now() + limits().idle_timeout;
  while (true) {
    Head head = Head::kMore;
    if (in.empty()) {
      const Ready ready = co_await socket.Readable(deadline);
      head = OnInput(ready, deadline);
    }
    if (head == Head::kMore && !in.empty()) head = FeedHead();
    if (head == Head::kClosed) co_return;
    if (head == Head::kMore) {
      if (state && state->reader->started()) {
        if (state->started == TimePoint()) {
          state->started = worker().Now();
          deadline = state->started + limits().head_timeout;
        }
      } else if (state && state->reader->untouched()) {
        shard.GiveState(std::move(state));
      }
      continue;
    }
    if (head == Head::kBad) {
      co_await Refuse();
      co_return;
    }
    co_await Serve();
    if (state->detached) co_await state->detached->RunDetached();
    FinishServing();
    if (!PrepareNext()) co_return;
    deadline = worker().Now() + limits().idle_timeout;
  }
}

ConnectionCore::Head ConnectionCore::OnInput(Ready ready, TimePoint deadline) {
  const bool started = state && state->reader->started();
  if (ready == Ready::kInterrupted) return Head::kClosed;
  if (ready == Ready::kTimedOut || worker().Now() >= deadline) {
    if (!started) return Head::kClosed;
    state->body_error = TimeoutError("the head of the request comes too slowly");
    return Head::kBad;
  }
  switch (socket.Read(in)) {
    case ReadEnd::kData:
    case ReadEnd::kNothingYet:
      return Head::kMore;
    case ReadEnd::kEof:
    case ReadEnd::kError:
      break;
  }
  return Head::kClosed;
}

ConnectionCore::Head ConnectionCore::FeedHead() {
  if (!state) {
    state = shard.TakeState(*this);
    const Limits& limit = limits();
    state->head_limits = {limit.max_head_bytes, limit.max_target_bytes, limit.max_fields};
    state->reader.emplace(state->head.bytes, state->head_limits, true);
  }
  const HeadReader::Step step = state->reader->Feed(in.data());
  in.Consume(step.consumed);
  in.ReleaseIfEmpty();
  std::optional<Error> found = step.error;
  if (!found && !step.complete) return Head::kMore;
  if (!found) found = ParseRequest(state->head, state->head_limits);
  if (!found) return Head::kComplete;
  state->body_error = std::move(*found);
  return Head::kBad;
}

// Answers a head that is no request. What is wrong with it is in body_error.
Task<void> ConnectionCore::Refuse() {
  close_after = true;
  linger = true;
  BeginRequest();
  state->head.keep_alive = false;
  co_await state->exchange->RespondError(state->body_error);
  EndRequest();
}

void ConnectionCore::BeginRequest() {
  if (state->started == TimePoint()) state->started = worker().Now();
  state->held_limit = limits().replay_bytes;
  shard.in_flight.fetch_add(1, std::memory_order_relaxed);
}

void ConnectionCore::EndRequest() {
  StopWatching();
  if (shard.settings.on_end) shard.settings.on_end(*state->exchange);
  shard.in_flight.fetch_sub(1, std::memory_order_relaxed);
  serving = false;
  shard.GiveState(std::move(state));
}

Task<void> ConnectionCore::Serve() {
  BeginRequest();
  serving = true;
  const Limits& limit = limits();
  state->body.Start(
      state->head.framing, state->head.content_length,
      {limit.max_body_bytes, limit.max_chunk_extension_bytes, limit.max_trailer_bytes});
  if (state->body.state() == BodyDecoder::State::kTooLarge) {
    FailBody({.code = ErrorCode::kBodyTooLarge, .message = "the body is too large", .param = {}});
    co_await state->exchange->RespondError(state->body_error);
    co_return;
  }
  worker().Arm(*this, worker().Now() + limit.disconnect_check);
  co_await Handle();
  if (!state->finished && !abort && !state->detached) {
    if (state->head_sent || state->cancelled == Cancelled::kClientGone) {
      abort = true;
    } else {
      co_await state->exchange->RespondError(ErrorCode::kAgentUnreachable,
                                             "the request was not answered");
    }
  }
}

// The request's answer has ended, however it did.
void ConnectionCore::FinishServing() {
  state->detached.reset();
  if (!state->body.done()) {
    close_after = true;
    linger = true;
  }
  if (hard_cancelled() && !state->finished) abort = true;
  EndRequest();
}

// A handler that throws is a defect, but one request's: it ends unanswered, the process goes on.
Task<void> ConnectionCore::Handle() {
  try {
    co_await shard.handler(*state->exchange);
  } catch (const std::exception& failure) {
    log::Error("request handler failed", {{"reason", failure.what()}});
  }
}

bool ConnectionCore::PrepareNext() {
  in.ReleaseIfEmpty();
  return !abort && !close_after && !shard.draining;
}

Task<void> ConnectionCore::LingerClose() {
  socket.ClearInterrupt();
  socket.ShutdownWrite();
  const TimePoint deadline = worker().Now() + kLingerTime;
  size_t dropped = in.data().size();
  in.Release();
  while (dropped < kLingerBytes && !shard.draining) {
    const Ready ready = co_await socket.Readable(deadline);
    if (ready != Ready::kReady || worker().Now() >= deadline) co_return;
    const ReadEnd end = socket.Read(in);
    if (end == ReadEnd::kEof || end == ReadEnd::kError) co_return;
    dropped += in.data().size();
    in.Release();
  }
}

void ConnectionCore::Shut(Cancelled reason) {
  if (serving) {
    if (reason != Cancelled::kNo) Cancel(reason);
  } else if (reason == Cancelled::kShutdown || !state) {
    socket.Interrupt();
  }
}

void ConnectionCore::Cancel(Cancelled reason) {
  if (!state || state->cancelled == reason || hard_cancelled()) return;
  state->cancelled = reason;
  if (hard_cancelled()) socket.Interrupt();
  if (state->listener) state->listener->OnCancelled(reason);
  if (const CancelCallback callback = std::exchange(state->on_cancel, nullptr)) callback(reason);
}

bool ConnectionCore::WillKeepAlive() {
  if (!state->head.keep_alive || shard.draining) close_after = true;
  if (!state->body.done() && !close_after) {
    // What is here already may be the rest of a body that nobody wanted.
    IoVecs dropped;
    while (!in.empty() && !state->body.done() && !state->body_failed) {
      dropped.Clear();
      TakeBody(dropped);
    }
    if (!state->body.done()) close_after = true;
  }
  return !close_after;
}

std::string_view ConnectionCore::ConnectionField() {
  if (close_after) return "Connection: close\r\n";
  return state->head.version_minor == 0 ? "Connection: keep-alive\r\n" : std::string_view();
}

std::optional<bool> ConnectionCore::TrySend(IoVecs& vecs) {
  if (state->cancelled == Cancelled::kClientGone) return false;
  switch (socket.TryWrite(vecs)) {
    case WriteEnd::kDone:
      return true;
    case WriteEnd::kBlocked:
      // A shutdown waits for nobody, but what the socket takes at once is still answered.
      if (hard_cancelled()) return false;
      return std::nullopt;
    default:
      Cancel(Cancelled::kClientGone);
      return false;
  }
}

Task<bool> ConnectionCore::Send(IoVecs vecs) {
  if (const std::optional<bool> sent = TrySend(vecs)) co_return *sent;
  const WriteEnd end = co_await socket.WriteRest(vecs, limits().write_timeout);
  if (end == WriteEnd::kDone) co_return true;
  Cancel(Cancelled::kClientGone);
  co_return false;
}

void ConnectionCore::FailBody(Error error) {
  state->body_failed = true;
  state->body_error = std::move(error);
  close_after = true;
  linger = true;
}

void ConnectionCore::Hold(std::string_view piece) {
  if (!state->held_all) return;
  if (state->held.size() + piece.size() > state->held_limit) {
    state->held_all = false;
    std::string().swap(state->held);
    return;
  }
  state->held.append(piece);
}

bool ConnectionCore::TakeBody(IoVecs& out) {
  while (!in.empty() && !out.full() && state->body.state() == BodyDecoder::State::kMore) {
    const BodyDecoder::Step step = state->body.Next(in.data());
    in.Consume(step.consumed);
    Hold(step.piece);
    out.Add(step.piece);
  }
  if (state->body.state() == BodyDecoder::State::kBad) {
    FailBody(
        {.code = ErrorCode::kBadRequest, .message = "the body's framing is broken", .param = {}});
    return false;
  }
  if (state->body.state() == BodyDecoder::State::kTooLarge) {
    FailBody({.code = ErrorCode::kBodyTooLarge, .message = "the body is too large", .param = {}});
    return false;
  }
  return true;
}

Task<bool> ConnectionCore::FillBody() {
  in.ReleaseIfEmpty();
  TimePoint since = worker().Now();
  const auto patience = state->pace.Patience(state->body.bytes());
  const TimePoint deadline = since + std::min<Clock::duration>(limits().body_timeout, patience);
  while (in.empty()) {
    const Ready ready = co_await socket.Readable(deadline);
    const TimePoint now = worker().Now();
    state->pace.Use(now - std::exchange(since, now));
    if (ready == Ready::kInterrupted) co_return false;
    if (ready == Ready::kTimedOut) {
      FailBody(TimeoutError("the body of the request comes too slowly"));
      co_return false;
    }
    const ReadEnd end = socket.Read(in);
    if (end == ReadEnd::kEof || end == ReadEnd::kError) {
      Cancel(Cancelled::kClientGone);
      co_return false;
    }
  }
  co_return true;
}

void ConnectionCore::Watch() {
  if (watching || !serving) return;
  watching = true;
  OnReadable();
}

bool ConnectionCore::draining() const { return shard.draining; }

void ConnectionCore::StopWatching() {
  worker().wheel().Disarm(*this);
  if (watching) socket.Listen(nullptr);
  watching = false;
}

void ConnectionCore::OnTimer() { Watch(); }

void ConnectionCore::OnReadable() {
  if (!watching || !serving) return;
  if (socket.LooksClosed()) {
    Cancel(Cancelled::kClientGone);
    return;
  }
  socket.Listen(this);
}

}  // namespace krypton::http
