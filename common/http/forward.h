// Forward: sends an exchange's request to an endpoint and its answer back, both unbuffered and at
// the same time, and says exactly how that ended. It is the only place where bytes cross from one
// connection to the other; hop-by-hop fields, framing, Via, X-Forwarded-*, Expect, Upgrade and
// trailers are handled here (conventions §5). Runs on the exchange's worker.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/client.h"
#include "common/http/exchange.h"

namespace krypton::http {

class IoVecs;
enum class ForwardEnd : uint8_t;

// What the hook makes of an answer's head.
enum class OnHead {
  kPass,    // Send it to the client.
  kRefuse,  // Swallow it: nothing reaches the client, Forward ends with kRefused.
};

struct ForwardPlan {
  Endpoint endpoint;
  // Sent as the request line's target, as is. Empty: the request's own target.
  std::string target;
  // Sent as Host. Empty: the client's. This and the other views: of what outlives Forward.
  std::string_view host;
  // Fields that are set: they replace those of the same name that the client sent.
  std::vector<Field> set_fields;
  // Names of the client's fields that are not passed on (krypton-wait at the gateway).
  std::span<const std::string_view> drop_fields;

  // Gateway: adds Via and X-Forwarded-For/-Host/-Proto, X-Forwarded-Prefix when `prefix` is not
  // empty, and rewrites a Location that is path-absolute or names the authority the agent saw under
  // `prefix`. Sidecar: false, passes these fields through untouched.
  bool as_gateway = false;
  std::string_view prefix;
  bool trust_forwarded = false;  // The peer is one of --trusted-proxies: append to what it says.
  std::string_view via = "1.1 krypton";

  // The whole body is held (Exchange::HoldBody): it goes with a Content-Length, whatever framing it
  // came in; Expect and Upgrade end here.
  bool collected = false;

  // No answer's head by then: kTimedOut. It bounds the whole exchange but for streams: an upgraded
  // connection, or a text/event-stream answer to a GET. kNever: no bound.
  TimePoint deadline = kNever;
  // A stream ends when no byte has passed in either direction for so long. 0: never.
  milliseconds stream_idle_timeout{0};

  // Sees the final head (or the 101) before it is passed. May take away fields by adding their
  // names to `drop`.
  std::function<OnHead(const ResponseHead& head, std::vector<std::string_view>& drop)> on_head;
  // Bytes passed through a stream, in either direction. Keep it cheap.
  std::function<void(uint64_t bytes)> on_stream_bytes;
  // Lets an answer of events outlive its handler, so that a stream which waits holds neither the
  // handler's frames nor the heads. Called when the head of such an answer was sent and the
  // request's body is complete; Forward ends as kDetached then, the connection passes the rest
  // after the handler has returned, and calls what `detach` gave when the stream has ended, just
  // before Settings::on_end; Exchange::request() is empty by then. on_stream_bytes goes on.
  std::function<std::function<void()>()> detach;

  // The next pieces of the request's body, before they go to the endpoint: what is left in them
  // goes instead, no more of them than before. `first`: an attempt begins, with the body's
  // beginning. `last`: the body ends.
  std::function<void(IoVecs& pieces, bool first, bool last)> on_request_body;
  // What on_request_body adds, in all, to a body with a Content-Length.
  int64_t request_growth = 0;
  // Likewise of the answer's body, on its way to the client; it keeps a Content-Length.
  std::function<void(IoVecs& pieces, bool last)> on_answer_body;
  // An answer without a Content-Length breaks off, for this reason (kBroke, kTimedOut, kShutDown):
  // ends with what this returns, in good order, and its connection after it. nullopt: as without
  // it. Such an answer is not detached.
  std::function<std::optional<std::string>(ForwardEnd)> on_break;
};

enum class ForwardEnd : uint8_t {
  kAnswered,        // The client has the whole answer.
  kRefused,         // on_head said so. Nothing was sent to the client.
  kConnectFailed,   // Nothing was sent to anybody.
  kBroke,           // The endpoint's connection ended, or its answer was malformed, before a head.
  kTimedOut,        // The deadline passed before a head.
  kClientGone,      // The client went away; the endpoint's connection was closed at once.
  kBadRequestBody,  // The client's body is broken or too slow; no head was sent. See BodyError().
  kAborted,         // After the head: the endpoint broke, or the deadline passed. The client's
                    // connection was closed without finishing the answer (but see on_break).
  kShutDown,        // Ended by a drain before a head was sent.
  kDetached,        // ForwardPlan::detach was called: the caller owes the client nothing.
};

struct ForwardResult {
  ForwardEnd end = ForwardEnd::kConnectFailed;
  // A byte of the request may have reached the endpoint.
  bool sent = false;
  // The request can be sent again in full: its body was not read, or all of it that was is held.
  bool replayable = true;
  // The answer was a stream (upgraded, or text/event-stream to a GET).
  bool stream = false;
  // The connection came from the pool: a kBroke may only mean that it had grown stale.
  bool reused_connection = false;
  int status = 0;
  TimePoint connected{};   // When a connection was there.
  TimePoint first_byte{};  // When the answer's first byte was.

  // conventions §5 "Retry": a second try elsewhere is safe: nothing was sent, the sidecar refused,
  // or the method is idempotent; and the body can be replayed. POST is never delivered twice.
  bool MayRetry(const RequestHead& request) const;
};

// Requires: the exchange has no head sent. After any end but kAnswered, kAborted and kDetached the
// caller still owes the client an answer (RespondError), or another Forward when `MayRetry`. `plan`
// must live until the task has ended: await it in the expression that makes it.
Task<ForwardResult> Forward(Exchange& exchange, Client& client, const ForwardPlan& plan);

// For a server that cannot meet strangers (cpp-httplib on a Unix socket): reads the whole request
// (413 above `max_body_bytes`), refuses encoded bodies (415) and upgrades, escapes '%' in header
// values, forwards with a Content-Length also where there is no body (cpp-httplib waits for the end
// of a POST, PUT, PATCH or DELETE that has none), and answers errors itself.
struct CollectSettings {
  size_t max_body_bytes = 4 << 20;
  TimePoint deadline = kNever;
  // As in ForwardPlan; '%' is escaped in these values too.
  std::vector<Field> set_fields;
  std::span<const std::string_view> drop_fields;
};
Task<void> ForwardCollected(Exchange& exchange, Client& client, Endpoint endpoint,
                            CollectSettings settings);

// cpp-httplib 0.11 decodes %XX in the values of fields, %0D%0A included: a value of which each '%'
// is escaped arrives as it was.
std::string EscapePercent(std::string_view value);

}  // namespace krypton::http
