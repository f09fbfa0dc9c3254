#include "common/http/tunnel.h"

#include <algorithm>
#include <cstring>

namespace krypton::http {
namespace {

// How long a peer may take to answer our close frame, or to finish a frame before it.
constexpr milliseconds kCloseTime{1'000};
// How long the other side may be silent once one has ended.
constexpr milliseconds kHalfCloseTime{60'000};

// FIN, opcode 8, two bytes: 1001 "going away". Masked with a key of zeros towards a server.
constexpr std::string_view kClose("\x88\x02\x03\xe9", 4);
constexpr std::string_view kMaskedClose("\x88\x82\x00\x00\x00\x00\x03\xe9", 8);

size_t HeaderSize(const uint8_t* header) {
  const uint8_t length = header[1] & 0x7f;
  size_t size = 2;
  if (length == 126) size += 2;
  if (length == 127) size += 8;
  if (header[1] & 0x80) size += 4;
  return size;
}

uint64_t PayloadSize(const uint8_t* header) {
  const uint8_t length = header[1] & 0x7f;
  if (length < 126) return length;
  uint64_t size = 0;
  for (int i = 0; i < (length == 126 ? 2 : 8); ++i) size = size << 8 | header[2 + i];
  return size;
}

}  // namespace

void FrameTracker::Track(std::string_view bytes) {
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const uint64_t skipped = std::min<uint64_t>(payload_left_, bytes.size());
      payload_left_ -= skipped;
      bytes.remove_prefix(static_cast<size_t>(skipped));
      continue;
    }
    header_[header_size_++] = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (header_size_ >= 2 && header_size_ == HeaderSize(header_)) {
      payload_left_ = PayloadSize(header_);
      header_size_ = 0;
    }
  }
}

Tunnel::Tunnel(ConnectionCore& client, UpstreamConnection& upstream, const ForwardPlan& plan)
    : client_(client),
      upstream_(upstream),
      plan_(plan),
      up_{client.socket, client.in, upstream.socket, true, {}},
      down_{upstream.socket, upstream.in, client.socket, false, {}},
      up_done_(client.worker()),
      last_bytes_(client.worker().Now()),
      websocket_(EqualsIgnoreCase(client.state->head.fields.Get("upgrade"), "websocket")) {}

Task<void> Tunnel::Run() {
  client_.worker().Spawn(PassUp());
  co_await Pass(down_);
  co_await up_done_.Wait();
}

Task<void> Tunnel::PassUp() {
  co_await Pass(up_);
  up_done_.Set();
}

void Tunnel::Drain() {
  if (draining_) return;
  draining_ = true;
  drain_deadline_ = client_.worker().Now() + kCloseTime;
  if (!websocket_) return Break();
  client_.socket.Poke();
  upstream_.socket.Poke();
}

// Both directions end now.
void Tunnel::Break() {
  client_.socket.Interrupt();
  upstream_.socket.Interrupt();
}

TimePoint Tunnel::QuietDeadline() const {
  if (draining_) return drain_deadline_;
  if (up_.ended || down_.ended) return last_bytes_ + kHalfCloseTime;
  if (plan_.stream_idle_timeout.count() == 0) return kNever;
  return last_bytes_ + plan_.stream_idle_timeout;
}

Task<bool> Tunnel::WriteClose(Side& side) {
  IoVecs vecs;
  vecs.Add(side.masked ? kMaskedClose : kClose);
  const WriteEnd end = co_await side.to.WriteRest(vecs, kCloseTime);
  co_return end == WriteEnd::kDone;
}

Task<void> Tunnel::Pass(Side& side) {
  bool close_sent = false;
  while (true) {
    if (draining_ && !close_sent && side.frames.at_boundary()) {
      close_sent = true;
      const bool written = co_await WriteClose(side);
      if (!written) break;
    }
    side.in.ReleaseIfEmpty();
    if (side.in.empty()) {
      const Ready ready = co_await side.from.Readable(QuietDeadline());
      if (ready == Ready::kInterrupted) break;
      if (ready == Ready::kTimedOut && client_.worker().Now() >= QuietDeadline()) break;
      const ReadEnd end = side.from.Read(side.in);
      if (end == ReadEnd::kError) break;
      if (end == ReadEnd::kEof) {
        side.ended = true;
        side.to.ShutdownWrite();
        if (close_sent || (up_.ended && down_.ended)) break;
        // The other direction learns that its time is bounded now.
        side.to.Poke();
        co_return;
      }
      if (end == ReadEnd::kNothingYet) continue;
    }
    const std::string_view bytes = side.in.data();
    last_bytes_ = client_.worker().Now();
    if (!close_sent) {
      if (websocket_) side.frames.Track(bytes);
      client_.state->bytes_sent += side.masked ? 0 : bytes.size();
      if (plan_.on_stream_bytes) plan_.on_stream_bytes(bytes.size());
      IoVecs vecs;
      vecs.Add(bytes);
      const WriteEnd end = co_await side.to.WriteRest(vecs, client_.limits().write_timeout);
      if (end != WriteEnd::kDone) break;
    }
    side.in.Consume(bytes.size());
  }
  side.ended = true;
  Break();
}

}  // namespace krypton::http
