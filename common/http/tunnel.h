// Tunnel: a connection after its 101: bytes both ways, as they come, until both sides have ended. A
// side that ends is passed on as a half-close. Internal to common/http; lives in Forwarding.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/http/connection.h"
#include "common/http/event.h"
#include "common/http/forward.h"
#include "common/http/upstream.h"

namespace krypton::http {

// Where in the sequence of WebSocket frames (RFC 6455 §5.2) a stream of bytes stands.
class FrameTracker {
 public:
  void Track(std::string_view bytes);
  bool at_boundary() const { return header_size_ == 0 && payload_left_ == 0; }

 private:
  uint8_t header_[14] = {};
  uint8_t header_size_ = 0;  // What is there of the header.
  uint64_t payload_left_ = 0;
};

class Tunnel {
 public:
  Tunnel(ConnectionCore& client, UpstreamConnection& upstream, const ForwardPlan& plan);

  Task<void> Run();
  // Ends the tunnel by its protocol: WebSocket close frames (1001) between two frames; any other at
  // once.
  void Drain();

 private:
  struct Side {
    Socket& from;
    Buffer& in;
    Socket& to;
    bool masked;  // Frames of ours towards `to` are masked: it is the server.
    FrameTracker frames;
    bool ended = false;
  };

  Task<void> Pass(Side& side);
  Task<void> PassUp();
  Task<bool> WriteClose(Side& side);
  void Break();
  TimePoint QuietDeadline() const;

  ConnectionCore& client_;
  UpstreamConnection& upstream_;
  const ForwardPlan& plan_;
  Side up_;
  Side down_;
  Event up_done_;
  TimePoint last_bytes_;
  TimePoint drain_deadline_ = kNever;
  bool websocket_ = false;
  bool draining_ = false;
};

}  // namespace krypton::http
