// LocalCall: a request that this process makes of its own Server, without the network: the two ends
// of a socket pair, one of which the server serves like any connection. What a handler does for a
// client it does for a LocalCall, cancellation and back-pressure included.
//
// Start, Resume and Cancel may be called by any thread. The callbacks run on one worker, one at a
// time; `on_end` is always called, exactly once, and is the last. The call keeps itself alive until
// then.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/http/message.h"

namespace krypton::http {

class Server;
class Worker;

struct LocalRequest {
  std::string method;
  std::string target;
  std::string host;
  // Sent as given, beside Host, Content-Length, Connection and TE, which must not be among them.
  // Requires: names and values are what RFC 9110 §5 admits; nothing here checks them.
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  // Who asks: what Exchange::peer() says.
  std::string peer;
};

class LocalCall : public std::enable_shared_from_this<LocalCall> {
 public:
  struct Callbacks {
    // After each of these two, the next waits for Resume().
    std::function<void(const ResponseHead&)> on_head;
    std::function<void(std::string_view)> on_data;
    // OK: the answer is complete, with these trailers. kCancelled after Cancel(). kUnavailable: the
    // server ended the connection before.
    std::function<void(const absl::Status&, const Fields& trailers)> on_end;
  };

  // Both outlive the call.
  static std::shared_ptr<LocalCall> Prepare(Server& server, Worker& worker, LocalRequest request,
                                            Callbacks callbacks);
  LocalCall(const LocalCall&) = delete;
  LocalCall& operator=(const LocalCall&) = delete;
  ~LocalCall();

  // Once.
  void Start();
  // The last head or data was taken.
  void Resume();
  // The server sees that its client has gone.
  void Cancel();

 private:
  struct Impl;
  explicit LocalCall(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace krypton::http
