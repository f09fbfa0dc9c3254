// ConnectionCore: one client connection of a Server, from accept to close, and the state of the
// request that is being served on it. Internal to common/http; what a handler sees is Exchange.
// Lives on one worker; owned by the coroutine Run. While it is idle it holds neither buffer nor
// RequestState.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/body_pace.h"
#include "common/http/buffer.h"
#include "common/http/chunked.h"
#include "common/http/exchange.h"
#include "common/http/message.h"
#include "common/http/parser.h"
#include "common/http/server.h"
#include "common/http/socket.h"

namespace krypton::http {

class Forwarding;
class ServerShard;

// Who waits inside common/http and must hear of a cancellation at once.
class CancelListener {
 public:
  virtual void OnCancelled(Cancelled reason) = 0;

 protected:
  ~CancelListener() = default;
};

// Of one request; recycled by the shard.
struct RequestState {
  RequestState();
  ~RequestState();

  std::optional<Exchange> exchange;  // Made anew for each request.
  RequestHead head;
  HeadLimits head_limits;
  std::optional<HeadReader> reader;
  BodyDecoder body;
  BodyPace pace;
  Error body_error;  // What is wrong with the body, or with the head.
  bool body_failed = false;
  bool continue_sent = false;  // We answered Expect: 100-continue, or passed the agent's 100 on.
  // What was read of the body, as long as it is all of it (`held_all`) and fits
  // Limits::replay_bytes.
  std::string held;
  size_t held_limit = 0;
  bool held_all = true;

  std::string extra_fields;  // "Name: value\r\n"...
  int status = 0;
  bool head_sent = false;
  bool finished = false;  // The answer is complete.
  bool chunked_answer = false;
  bool no_answer_body = false;  // HEAD, 204, 304: what is written is dropped.
  uint64_t bytes_sent = 0;

  Cancelled cancelled = Cancelled::kNo;
  CancelCallback on_cancel;
  CancelListener* listener = nullptr;
  TimePoint started{};
  std::shared_ptr<void> context;
  std::unique_ptr<Forwarding> detached;  // What is left of the answer when the handler returned.
};

struct ConnectionCore final : TimerNode, ReadListener {
  ConnectionCore(ServerShard& owner, int fd, std::string peer_address);
  ~ConnectionCore();

  // Serves the connection until it ends; owns it.
  static Task<void> Run(std::unique_ptr<ConnectionCore> self);

  Worker& worker() const;
  const Limits& limits() const;
  // Ends what can be ended: an idle connection closes, one with a request is cancelled.
  void Shut(Cancelled reason);
  void Cancel(Cancelled reason);
  bool hard_cancelled() const {
    return state &&
           (state->cancelled == Cancelled::kClientGone || state->cancelled == Cancelled::kShutdown);
  }

  // Whether the connection serves another request after this one; decided when the head is built.
  bool WillKeepAlive();
  // "Connection: ..." of an answer, or nothing.
  std::string_view ConnectionField();
  // Writes everything, or cancels the exchange and returns false.
  Task<bool> Send(IoVecs vecs);
  // The same without suspending: null when it is not all written yet, `vecs` advanced then.
  std::optional<bool> TrySend(IoVecs& vecs);

  // --- Body of the request ---
  // Takes what has arrived into `out` (spans into `in`), as far as room is; false when the framing
  // is broken or too large: body_error says it.
  bool TakeBody(IoVecs& out);
  // Waits for more input. False: the client is gone, too slow (body_error), or interrupted.
  Task<bool> FillBody();
  void Hold(std::string_view piece);
  void FailBody(Error error);

  // Bytes of the body are no longer waited for: the watch goes on.
  void ResumeWatch() {
    if (watching) OnReadable();
  }
  bool draining() const;
  void StopWatching();
  // Watches for the client's going away from now on, without waiting for the timer.
  void Watch();
  void OnTimer() override;     // Limits::disconnect_check has passed.
  void OnReadable() override;  // An edge while nobody reads.

  ServerShard& shard;
  Socket socket;
  Buffer in;
  std::string peer;
  std::unique_ptr<RequestState> state;
  bool close_after = false;  // The connection ends after this answer.
  bool abort = false;        // It ends now, without an orderly end of the answer.
  bool linger = false;       // Unread bytes of the client may be under way.
  bool watching = false;
  bool serving = false;            // A handler runs.
  ConnectionCore* next = nullptr;  // The shard's list.
  ConnectionCore** link = nullptr;

 private:
  enum class Head : uint8_t { kMore, kComplete, kBad, kClosed };

  Task<void> Loop();
  Head OnInput(Ready ready, TimePoint deadline);
  Head FeedHead();
  Task<void> Refuse();
  Task<void> Serve();
  Task<void> Handle();
  void BeginRequest();
  void FinishServing();
  void EndRequest();
  bool PrepareNext();
  Task<void> LingerClose();
};

}  // namespace krypton::http
