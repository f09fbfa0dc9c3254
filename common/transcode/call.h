#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/transcode/transcoder.h"

namespace grpc {
class ByteBuffer;
template <class Request, class Response>
class TemplatedGenericStub;
using GenericStub = TemplatedGenericStub<ByteBuffer, ByteBuffer>;
}  // namespace grpc

namespace krypton::transcode {

// How an RPC ended: google.rpc.Status, serialized in `details` when the server sent one.
struct CallStatus {
  int code = 0;
  std::string message;
  std::string details;
};

// One RPC of any kind, by its path and its messages' bytes, over gRPC's callback API. Belongs to
// one thread, which waits in Next. At most one message is read ahead. Destroying it cancels the RPC
// and waits for its end.
class Call {
 public:
  struct Event {
    enum class Kind { kMessage, kEnd, kTimeout } kind;
    // Of the message.
    std::string bytes;
  };

  // Starts at once and sends `requests`. Without a timeout it may last for ever.
  Call(grpc::GenericStub& stub, const std::string& rpc_path, const std::vector<Header>& metadata,
       std::vector<std::string> requests, std::optional<std::chrono::nanoseconds> timeout);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The next message; kEnd when the RPC has ended; kTimeout when neither came within `wait`.
  Event Next(std::chrono::milliseconds wait);

  // Valid after kEnd.
  const CallStatus& status() const;
  // Valid after the first message or kEnd.
  std::vector<Header> InitialMetadata() const;
  // Valid after kEnd.
  std::vector<Header> TrailingMetadata() const;

 private:
  class Reactor;
  std::shared_ptr<Reactor> reactor_;
};

}  // namespace krypton::transcode
