#include "common/http/exchange.h"

#include <utility>

#include "common/http/connection.h"
#include "common/http/guard.h"
#include "common/http/response.h"
#include "common/http/shard.h"

namespace krypton::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

// The fields that every answer of our own begins with.
void BeginHead(ConnectionCore& core, std::string& out, int status) {
  AppendStatusLine(out, status);
  out.append(DateField());
  if (!core.shard.settings.server_name.empty()) {
    AppendField(out, "Server", core.shard.settings.server_name);
  }
}

absl::Status BodyStatus(const RequestState& state) {
  switch (state.body_error.code) {
    case ErrorCode::kBodyTooLarge:
      return absl::ResourceExhaustedError(state.body_error.message);
    case ErrorCode::kRequestTimeout:
      return absl::DeadlineExceededError(state.body_error.message);
    default:
      return absl::InvalidArgumentError(state.body_error.message);
  }
}

// Wakes whoever waits for the event when the exchange is cancelled for good.
class EventCancel final : public CancelListener {
 public:
  EventCancel(RequestState& state, Event& event) : state_(state), event_(event) {
    state_.listener = this;
  }
  ~EventCancel() { state_.listener = nullptr; }
  void OnCancelled(Cancelled reason) override {
    if (reason != Cancelled::kDraining) event_.Interrupt();
  }

 private:
  RequestState& state_;
  Event& event_;
};

}  // namespace

const RequestHead& Exchange::request() const { return core_.state->head; }
Worker& Exchange::worker() const { return core_.worker(); }
std::string_view Exchange::peer() const { return core_.peer; }
TimePoint Exchange::started() const { return core_.state->started; }

Task<absl::StatusOr<std::string_view>> Exchange::ReadBody() {
  RequestState& state = *core_.state;
  if (state.head.expect_continue && !state.continue_sent && !state.body.done()) {
    state.continue_sent = true;
    IoVecs vecs;
    vecs.Add(kContinue);
    co_await core_.Send(vecs);
  }
  while (true) {
    core_.in.ReleaseIfEmpty();
    const BodyDecoder::Step step = state.body.Next(core_.in.data());
    core_.in.Consume(step.consumed);
    if (!step.piece.empty()) {
      core_.Hold(step.piece);
      co_return step.piece;
    }
    if (state.body.done()) co_return std::string_view();
    if (state.body.state() == BodyDecoder::State::kMore && !core_.in.empty()) continue;
    bool more = state.body.state() == BodyDecoder::State::kMore;
    if (more) {
      more = co_await core_.FillBody();
    } else {
      IoVecs nothing;
      core_.TakeBody(nothing);  // Says what is wrong.
    }
    if (more) continue;
    if (!state.body_failed) co_return absl::UnavailableError("the client is gone");
    co_return BodyStatus(state);
  }
}

Task<absl::StatusOr<std::string_view>> Exchange::HoldMore(size_t max_bytes) {
  RequestState& state = *core_.state;
  state.held_limit = max_bytes;
  const absl::StatusOr<std::string_view> piece = co_await ReadBody();
  if (piece.ok() && !state.held_all) {
    core_.FailBody(
        {.code = ErrorCode::kBodyTooLarge, .message = "the body is too large", .param = {}});
    co_return absl::ResourceExhaustedError("the body is too large");
  }
  co_return piece;
}

Task<absl::StatusOr<std::string_view>> Exchange::HoldBody(size_t max_bytes) {
  RequestState& state = *core_.state;
  while (!state.body.done()) {
    const absl::StatusOr<std::string_view> piece = co_await HoldMore(max_bytes);
    if (!piece.ok()) co_return piece.status();
  }
  core_.in.ReleaseIfEmpty();
  co_return std::string_view(state.held);
}

std::string_view Exchange::held_body() const { return core_.state->held; }
bool Exchange::body_complete() const { return core_.state->body.done(); }
const Fields& Exchange::trailers() const { return core_.state->body.trailers(); }
Error Exchange::BodyError() const { return core_.state->body_error; }

void Exchange::RequirePace(uint64_t bytes_per_second, milliseconds patience) {
  core_.state->pace.Require(bytes_per_second, patience);
}

void Exchange::AddResponseHeader(std::string_view name, std::string_view value) {
  if (!IsToken(name) || !IsValue(value)) return;
  AppendField(core_.state->extra_fields, name, value);
}

Task<void> Exchange::Respond(int status, std::span<const Field> fields, std::string_view body) {
  RequestState& state = *core_.state;
  if (state.head_sent) co_return;
  ScratchString out(worker().buffers());
  BeginHead(core_, *out, status);
  for (const Field& field : fields) AppendField(*out, field.name, field.value);
  out->append(state.extra_fields);
  if (!HasNoBody(status)) {
    out->append("Content-Length: ");
    AppendNumber(*out, body.size());
    out->append("\r\n");
  }
  core_.WillKeepAlive();
  out->append(core_.ConnectionField()).append("\r\n");
  IoVecs vecs;
  vecs.Add(*out);
  if (!HasNoBody(status) && state.head.method != "HEAD") {
    vecs.Add(body);
    state.bytes_sent += body.size();
  }
  state.head_sent = true;
  state.status = status;
  state.finished = true;
  co_await core_.Send(vecs);
}

Task<void> Exchange::RespondError(Error error) {
  const Error owned = std::move(error);
  const std::string body = ErrorBody(owned);
  const std::string retry_after = std::to_string(owned.retry_after_seconds);
  Field fields[3] = {{"Content-Type", "application/json"},
                     {"krypton-error", CodeName(owned.code)},
                     {"Retry-After", retry_after}};
  const size_t count = owned.Status() == 503 ? 3 : 2;
  co_await Respond(owned.Status(), std::span<const Field>(fields, count), body);
}

Task<void> Exchange::RespondError(ErrorCode code, std::string_view message) {
  return RespondError(Error{.code = code, .message = std::string(message), .param = {}});
}

Task<bool> Exchange::Start(int status, std::span<const Field> fields) {
  RequestState& state = *core_.state;
  ScratchString out(worker().buffers());
  BeginHead(core_, *out, status);
  bool has_length = false;
  for (const Field& field : fields) {
    has_length |= EqualsIgnoreCase(field.name, "content-length");
    AppendField(*out, field.name, field.value);
  }
  out->append(state.extra_fields);
  state.no_answer_body = HasNoBody(status) || state.head.method == "HEAD";
  state.chunked_answer = !has_length && !HasNoBody(status) && state.head.version_minor == 1;
  if (state.chunked_answer) out->append("Transfer-Encoding: chunked\r\n");
  if (!has_length && !HasNoBody(status) && !state.chunked_answer) core_.close_after = true;
  core_.WillKeepAlive();
  out->append(core_.ConnectionField()).append("\r\n");
  state.head_sent = true;
  state.status = status;
  IoVecs vecs;
  vecs.Add(*out);
  const bool sent = co_await core_.Send(vecs);
  co_return sent;
}

Task<bool> Exchange::Write(std::string_view piece) {
  RequestState& state = *core_.state;
  if (core_.hard_cancelled()) co_return false;
  if (piece.empty() || state.no_answer_body) co_return true;
  char header[kMaxChunkHeader];
  IoVecs vecs;
  if (state.chunked_answer) vecs.Add(ChunkHeader(header, piece.size()));
  vecs.Add(piece);
  if (state.chunked_answer) vecs.Add("\r\n");
  state.bytes_sent += piece.size();
  const bool sent = co_await core_.Send(vecs);
  co_return sent;
}

Task<bool> Exchange::Finish() {
  RequestState& state = *core_.state;
  state.finished = true;
  if (core_.hard_cancelled()) co_return false;
  if (!state.chunked_answer || state.no_answer_body) co_return true;
  IoVecs vecs;
  vecs.Add(kLastChunk);
  const bool sent = co_await core_.Send(vecs);
  co_return sent;
}

void Exchange::Abort() { core_.abort = true; }

Task<WaitResult> Exchange::WaitFor(Event& event, TimePoint deadline) {
  RequestState& state = *core_.state;
  core_.Watch();
  if (event.is_set()) {
    event.Reset();
    co_return WaitResult::kSet;
  }
  if (core_.hard_cancelled()) co_return WaitResult::kCancelled;
  EventCancel cancel(state, event);
  const WaitEnd end = co_await event.Wait(deadline);
  if (end == WaitEnd::kSet) co_return WaitResult::kSet;
  co_return core_.hard_cancelled() ? WaitResult::kCancelled : WaitResult::kTimedOut;
}

Cancelled Exchange::cancelled() const { return core_.state->cancelled; }

void Exchange::OnCancel(CancelCallback callback) {
  RequestState& state = *core_.state;
  if (callback && state.cancelled != Cancelled::kNo) {
    callback(state.cancelled);
  } else {
    state.on_cancel = std::move(callback);
  }
}

bool Exchange::head_sent() const { return core_.state->head_sent; }

int Exchange::status() const {
  const RequestState& state = *core_.state;
  if (state.status == 0 && state.cancelled == Cancelled::kClientGone) return 499;
  return state.status;
}

uint64_t Exchange::bytes_received() const { return core_.state->body.bytes(); }
uint64_t Exchange::bytes_sent() const { return core_.state->bytes_sent; }

void Exchange::set_context(std::shared_ptr<void> context) {
  core_.state->context = std::move(context);
}
const std::shared_ptr<void>& Exchange::context() const { return core_.state->context; }

}  // namespace krypton::http
