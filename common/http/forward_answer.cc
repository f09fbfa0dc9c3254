// The second half of Forwarding: the answer's way back.
#include <utility>

#include "common/http/forward_head.h"
#include "common/http/forwarding.h"
#include "common/http/response.h"
#include "common/http/tunnel.h"

namespace krypton::http {
namespace {

constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace

// More bytes of the answer. False: result_.end says why not; at the end of the connection it is
// kBroke.
Task<bool> Forwarding::FillAnswer(TimePoint deadline) {
  upstream_->in.ReleaseIfEmpty();
  while (upstream_->in.empty()) {
    const Ready ready = co_await upstream_->socket.Readable(deadline);
    if (ready == Ready::kInterrupted) {
      EndInterrupted();
      co_return false;
    }
    if (ready == Ready::kTimedOut) {
      End(ForwardEnd::kTimedOut);
      co_return false;
    }
    const ReadEnd end = upstream_->socket.Read(upstream_->in);
    if (end == ReadEnd::kEof || end == ReadEnd::kError) {
      ended_cleanly_ = end == ReadEnd::kEof;
      End(ForwardEnd::kBroke);
      co_return false;
    }
    if (end == ReadEnd::kNothingYet && drain_stream_ && EndsAtEvent()) co_return true;
  }
  co_return true;
}

Task<bool> Forwarding::ReadAnswer() {
  ResponseHead& head = upstream_->head;
  result_.first_byte = {};
  std::optional<HeadReader> reader(std::in_place, head.bytes, limits_, false);
  while (true) {
    if (upstream_->in.empty()) {
      const bool filled = co_await FillAnswer(plan_.deadline);
      if (!filled) co_return false;
      if (result_.first_byte == TimePoint()) result_.first_byte = core_.worker().Now();
    }
    const HeadReader::Step step = reader->Feed(upstream_->in.data());
    upstream_->in.Consume(step.consumed);
    if (!step.error && !step.complete) continue;
    if (step.error || !ParseResponse(head, state_.head.method, limits_)) break;
    if (head.status == 101) {
      if (!state_.head.wants_upgrade || !state_.body.done()) break;
      if (!EqualsIgnoreCase(head.fields.Get("upgrade"), state_.head.fields.Get("upgrade"))) break;
    }
    if (head.status >= 200 || head.status == 101) {
      answer_.Start(head.framing, head.content_length, {});
      co_return true;
    }
    const bool passed = co_await PassInterim();
    if (!passed) co_return false;
    reader.emplace(head.bytes, limits_, false);
  }
  End(ForwardEnd::kBroke);
  co_return false;
}

// 100 goes to a client that waits for it, the others to any that speaks HTTP/1.1.
Task<bool> Forwarding::PassInterim() {
  const int status = upstream_->head.status;
  if (state_.head.version_minor == 0) co_return true;
  if (status == 100 && (!state_.head.expect_continue || state_.continue_sent)) co_return true;
  if (status == 100) state_.continue_sent = true;
  ScratchString out(core_.worker().buffers());
  AppendForwardedResponse(*out, upstream_->head, state_.head, plan_,
                          {.connection_field = {}, .extra_fields = {}});
  IoVecs vecs;
  vecs.Add(*out);
  const bool sent = co_await core_.Send(vecs);
  if (!sent) End(ForwardEnd::kClientGone);
  co_return sent;
}

// Takes what has arrived of the answer's body, as far as room is. False: it is malformed.
bool Forwarding::GatherAnswer(IoVecs& pieces) {
  Buffer& in = upstream_->in;
  while (!in.empty() && !pieces.full() && answer_.state() == BodyDecoder::State::kMore) {
    const BodyDecoder::Step step = answer_.Next(in.data());
    in.Consume(step.consumed);
    pieces.Add(step.piece);
    if (!result_.stream) continue;
    for (const char c :
         step.piece.substr(step.piece.size() - std::min<size_t>(4, step.piece.size()))) {
      tail_ = tail_ << 8 | static_cast<unsigned char>(c);
    }
  }
  return answer_.state() == BodyDecoder::State::kMore || answer_.done();
}

// Whether the event stream stands behind a blank line, or at its start.
bool Forwarding::EndsAtEvent() {
  const uint32_t two = tail_ & 0xffff;
  const uint32_t three = tail_ & 0xffffff;
  return tail_ == 0 || two == 0x0a0a || two == 0x0d0d || three == 0x0a0d0a;
}

// Reads over an answer that nobody gets. True when all of it was here.
bool Forwarding::SwallowAnswer() {
  IoVecs dropped;
  while (!upstream_->in.empty() && answer_.state() == BodyDecoder::State::kMore) {
    dropped.Clear();
    if (!GatherAnswer(dropped)) return false;
  }
  return answer_.done();
}

TimePoint Forwarding::BodyDeadline() const {
  if (!result_.stream) return deadline_;
  if (stream_idle_timeout_.count() == 0) return kNever;
  return core_.worker().Now() + stream_idle_timeout_;
}

Task<void> Forwarding::PassAnswer() {
  const ResponseHead& head = upstream_->head;
  const bool has_body = head.framing != Framing::kNone;
  const bool one_one = state_.head.version_minor == 1;
  state_.chunked_answer =
      has_body && one_one &&
      (head.framing == Framing::kChunked || head.framing == Framing::kUntilClose);
  if (has_body && !one_one && head.framing != Framing::kLength) core_.close_after = true;
  if (!state_.head.keep_alive || core_.draining() || !state_.body.done()) core_.close_after = true;
  bool passed = co_await PassHead();
  if (passed && MayDetach()) {
    Detach();
    co_return;
  }
  passed = passed && co_await PassBody();
  if (!passed && plan_.on_break) {
    const bool said = co_await SayBreak();
    if (said) co_return;
  }
  FinishAnswer(passed);
}

void Forwarding::FinishAnswer(bool passed) {
  const ResponseHead& head = upstream_->head;
  if (!passed) {
    if (result_.end == ForwardEnd::kBroke || result_.end == ForwardEnd::kTimedOut) {
      End(ForwardEnd::kAborted);
    }
    core_.abort = true;
    // What ends with the connection must not look complete.
    const bool until_close =
        head.framing == Framing::kUntilClose || head.framing == Framing::kChunked;
    if (until_close && !state_.chunked_answer) {
      core_.socket.ResetOnClose();
    }
    return;
  }
  state_.finished = true;
  End(ForwardEnd::kAnswered);
  if (!pumping_) Release();
}

bool Forwarding::MayDetach() const {
  return plan_.detach && !plan_.on_break && event_stream_ && !answer_.done() && !pumping_ &&
         state_.body.done();
}

void Forwarding::Detach() {
  on_detached_end_ = plan_.detach();
  End(ForwardEnd::kDetached);
}

// What neither the rest of the stream nor its end needs.
void Forwarding::ReleaseHeads() {
  drop_ = {};
  std::string().swap(state_.held);
  std::string().swap(state_.extra_fields);
  state_.head.Release();
  upstream_->head.Release();
}

Task<void> Forwarding::RunDetached() {
  ReleaseHeads();
  result_.end = ForwardEnd::kAnswered;
  const bool passed = co_await PassBody();
  FinishAnswer(passed);
  upstream_.reset();
  on_detached_end_();
}

Task<bool> Forwarding::PassHead() {
  ScratchString out(core_.worker().buffers());
  AppendForwardedResponse(*out, upstream_->head, state_.head, plan_,
                          {.chunked = state_.chunked_answer,
                           .connection_field = core_.ConnectionField(),
                           .extra_fields = state_.extra_fields,
                           .drop = &drop_});
  state_.head_sent = true;
  state_.status = upstream_->head.status;
  const bool passed = co_await PassPieces(*out);
  co_return passed;
}

// Writes `before`, and what has arrived of the body. A coroutine of its own, so that its pieces
// take no memory while an answer waits for the next event.
Task<bool> Forwarding::PassPieces(std::string_view before) {
  IoVecs pieces;
  const bool good = GatherAnswer(pieces);
  if (on_answer_body_) on_answer_body_(pieces, answer_.done());
  const uint64_t bytes = pieces.bytes();
  char size[kMaxChunkHeader];
  std::string last;
  IoVecs vecs;
  vecs.Add(before);
  if (state_.chunked_answer && bytes > 0) vecs.Add(ChunkHeader(size, bytes));
  vecs.AddAll(pieces);
  if (state_.chunked_answer && bytes > 0) vecs.Add("\r\n");
  if (state_.chunked_answer && answer_.done()) {
    last = "0\r\n";
    AppendTrailers(last, answer_.trailers());
    vecs.Add(last.append("\r\n"));
  }
  state_.bytes_sent += bytes;
  if (vecs.empty()) {
    upstream_->in.ReleaseIfEmpty();
    if (!good) End(ForwardEnd::kBroke);
    co_return good;
  }
  std::optional<bool> sent = core_.TrySend(vecs);
  if (!sent) sent = co_await core_.Send(vecs);
  upstream_->in.ReleaseIfEmpty();
  if (!*sent) {
    EndInterrupted();
    co_return false;
  }
  if (result_.stream && on_stream_bytes_ && bytes > 0) on_stream_bytes_(bytes);
  if (!good) End(ForwardEnd::kBroke);
  co_return good;
}

// The rest of the body, piece by piece as it comes. Requires: what had arrived was passed.
Task<bool> Forwarding::PassBody() {
  while (!answer_.done()) {
    if (drain_stream_ && result_.stream && EndsAtEvent()) co_return co_await EndStream();
    if (upstream_->in.empty()) {
      const bool filled = co_await FillAnswer(BodyDeadline());
      if (!filled && result_.end == ForwardEnd::kTimedOut && result_.stream) {
        co_return co_await EndStream();
      }
      if (!filled && (result_.end != ForwardEnd::kBroke || !ended_cleanly_)) co_return false;
      if (!filled) answer_.OnEof();
      if (!filled && !answer_.done()) co_return false;
    }
    const bool passed = co_await PassPieces({});
    if (!passed) co_return false;
  }
  co_return true;
}

// Ends an event stream between two events, as its protocol has it: the client may come back.
Task<bool> Forwarding::EndStream() {
  core_.close_after = true;
  IoVecs vecs;
  if (state_.chunked_answer) vecs.Add(kLastChunk);
  const bool sent = co_await core_.Send(vecs);
  if (upstream_->head.framing == Framing::kLength) core_.abort = true;
  co_return sent;
}

// Ends an answer that has broken off by what the plan has to say of it. False: nothing was said.
Task<bool> Forwarding::SayBreak() {
  const bool ends_by_length = upstream_->head.framing == Framing::kLength;
  if (ends_by_length || state_.cancelled == Cancelled::kClientGone) co_return false;
  const bool by_us = result_.end == ForwardEnd::kAborted;
  const auto words = plan_.on_break(by_us ? ForwardEnd::kShutDown : result_.end);
  if (!words) co_return false;
  const bool has_chunk = state_.chunked_answer && !words->empty();
  char size[kMaxChunkHeader];
  IoVecs vecs;
  if (has_chunk) vecs.Add(ChunkHeader(size, words->size()));
  vecs.Add(*words);
  if (has_chunk) vecs.Add("\r\n");
  if (state_.chunked_answer) vecs.Add(kLastChunk);
  state_.bytes_sent += words->size();
  const bool sent = co_await core_.Send(vecs);
  if (!sent) co_return false;
  End(ForwardEnd::kAborted);
  core_.close_after = true;
  core_.abort = false;
  state_.finished = true;
  co_return true;
}

Task<void> Forwarding::PassUpgrade() {
  core_.close_after = true;
  ScratchString out(core_.worker().buffers());
  AppendForwardedResponse(
      *out, upstream_->head, state_.head, plan_,
      {.connection_field = {}, .extra_fields = state_.extra_fields, .drop = &drop_});
  state_.head_sent = true;
  state_.status = 101;
  IoVecs vecs;
  vecs.Add(*out);
  const bool sent = co_await core_.Send(vecs);
  if (!sent) {
    EndInterrupted();
    co_return;
  }
  core_.StopWatching();
  Tunnel tunnel(core_, *upstream_, plan_);
  tunnel_ = &tunnel;
  if (drain_stream_) tunnel.Drain();
  co_await tunnel.Run();
  tunnel_ = nullptr;
  state_.finished = true;
  End(ForwardEnd::kAnswered);
}

}  // namespace krypton::http
