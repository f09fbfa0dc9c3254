// Exchange: one request and its answer, as a handler sees them. It belongs to the connection and to
// its worker; handlers run on that worker and must not keep a reference after they return. A
// handler answers exactly once: by Respond, RespondError, Start/Write/Finish, or through Forward
// (forward.h). One that returns without an answer makes the front answer agent_unreachable.
//
// While a request waits or runs, the client may go away, or the server may end its patience while
// draining: the exchange is cancelled then. Everything that waits here returns soon after; a
// handler of its own that waits does so by WaitFor. Writes after that are dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/http/error.h"
#include "common/http/event.h"
#include "common/http/message.h"
#include "common/http/task.h"

namespace krypton::http {

class Worker;
struct ConnectionCore;

enum class Cancelled : uint8_t {
  kNo,
  kClientGone,  // The client closed or reset the connection.
  kDraining,    // The server's second phase of a drain: end streams by their protocol.
  kShutdown,    // End now.
};

enum class WaitResult { kSet, kTimedOut, kCancelled };

// A handler's own cancellation point, for what is not an Event. Called once, on the worker.
using CancelCallback = std::function<void(Cancelled)>;

class Exchange {
 public:
  explicit Exchange(ConnectionCore& core) : core_(core) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // --- What came in ---
  // The head; its spans stay valid until the handler returns.
  const RequestHead& request() const;
  Worker& worker() const;
  // The client's IP address without a port ("10.0.0.7", "::1"), or "unix".
  std::string_view peer() const;
  // When the first byte of the request was there.
  TimePoint started() const;

  // The next piece of the body as it arrives (without chunk framing); an empty view at its end.
  // Valid until the next call. Errors: kUnavailable the client is gone, kInvalidArgument the
  // framing is broken (bad_request), kResourceExhausted too large, kDeadlineExceeded too slow. What
  // to answer then: `RespondError(exchange.BodyError())`. Sends 100 Continue first if the client
  // waits for it.
  Task<absl::StatusOr<std::string_view>> ReadBody();
  // As ReadBody, and the piece is held with all that came before it: Forward sends them, then what
  // has not been read. kResourceExhausted when more than `max_bytes` would be held.
  Task<absl::StatusOr<std::string_view>> HoldMore(size_t max_bytes);
  // The whole body, held for what follows: Forward sends it again from its start.
  // kResourceExhausted when it is longer than `max_bytes`.
  Task<absl::StatusOr<std::string_view>> HoldBody(size_t max_bytes);
  // What these two hold; empty when it was more than they may.
  std::string_view held_body() const;
  bool body_complete() const;
  // After its end: the trailers (chunked only).
  const Fields& trailers() const;
  Error BodyError() const;
  // The body must come at this pace from here on (body_pace.h), or it is 408, whoever reads it.
  void RequirePace(uint64_t bytes_per_second, milliseconds patience);

  // --- Answering ---
  // A field of this answer, whoever makes it (also with Forward). Copied. Before the head is sent.
  void AddResponseHeader(std::string_view name, std::string_view value);

  // A whole answer. Content-Length is added; the body is left out for HEAD, 204 and 304.
  Task<void> Respond(int status, std::span<const Field> fields, std::string_view body);
  // Name the Error first: `co_await RespondError({...})` meets a defect of g++ 12 (task.h).
  Task<void> RespondError(Error error);
  Task<void> RespondError(ErrorCode code, std::string_view message);

  // An answer in pieces; chunked (or until close for HTTP/1.0) unless a Content-Length is among the
  // fields. Write and Finish return false when the client is gone. Each Write is flushed at once.
  Task<bool> Start(int status, std::span<const Field> fields);
  Task<bool> Write(std::string_view piece);
  Task<bool> Finish();

  // Ends the connection without finishing the answer: the client sees that it is incomplete.
  void Abort();

  // --- Waiting ---
  // Waits for `event`, for `deadline` or for a cancellation, whichever is first. Looks at the
  // client's connection at once, not only after the first tick.
  Task<WaitResult> WaitFor(Event& event, TimePoint deadline = kNever);
  Cancelled cancelled() const;
  // Replaces the former callback; nullptr takes it away. Called at once when already cancelled.
  void OnCancel(CancelCallback callback);

  // --- How it ended ---
  bool head_sent() const;
  int status() const;  // 0 before a head was sent; 499 when the client went away before.
  uint64_t bytes_received() const;  // Of the body.
  uint64_t bytes_sent() const;      // Of the body, or of a tunnel.

  // Free for the handler and for Settings::on_end, e.g. which metrics this request counts in.
  void set_context(std::shared_ptr<void> context);
  const std::shared_ptr<void>& context() const;

  ConnectionCore& core() { return core_; }  // For common/http itself.

 private:
  ConnectionCore& core_;
};

}  // namespace krypton::http
