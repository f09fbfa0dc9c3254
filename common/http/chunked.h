// BodyDecoder: takes the bytes of a message's body out of what a connection delivered, for each of
// the framings of RFC 9112 §6. Pure: no I/O, no copies, one owner. Chunked framing (§7.1) is read
// strictly: CRLF only, at most 16 hex digits, extensions ignored and bounded, trailers checked and
// bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/message.h"

namespace krypton::http {

struct BodyLimits {
  uint64_t max_body_bytes = UINT64_MAX;
  size_t max_extension_bytes = 16 * 1024;
  size_t max_trailer_bytes = 16 * 1024;
};

class BodyDecoder {
 public:
  enum class State : uint8_t {
    kMore,      // The body goes on.
    kDone,      // It has ended; input behind it belongs to the next message.
    kBad,       // The framing is broken.
    kTooLarge,  // A limit was passed.
  };

  struct Step {
    size_t consumed = 0;     // Of the input, framing included.
    std::string_view piece;  // Inside the consumed input; may be empty.
  };

  void Start(Framing framing, uint64_t content_length, const BodyLimits& limits);

  // Takes one piece. Call until everything is consumed or the state is not kMore.
  Step Next(std::string_view input);
  // The connection has ended. Completes a body that ends by that, and no other.
  void OnEof();

  State state() const { return state_; }
  bool done() const { return state_ == State::kDone; }
  uint64_t bytes() const { return bytes_; }
  // What is still to come of a body with a length.
  uint64_t remaining() const { return remaining_; }
  // After the end; names and values point into this decoder.
  const Fields& trailers() const { return trailers_; }

 private:
  enum class Chunk : uint8_t {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerLf,
  };

  void OnChunkByte(char c);
  void OnSizeByte(char c);
  void OnExtensionByte(char c);
  void OnTrailerByte(char c);
  void EndSizeLine();
  void EndTrailerLine();
  Step TakeData(std::string_view input, uint64_t limit);
  void Fail(State state) { state_ = state; }

  BodyLimits limits_;
  Framing framing_ = Framing::kNone;
  State state_ = State::kDone;
  Chunk chunk_ = Chunk::kSize;
  uint8_t digits_ = 0;
  uint64_t remaining_ = 0;
  uint64_t bytes_ = 0;
  size_t extension_bytes_ = 0;
  size_t line_start_ = 0;
  std::string trailer_bytes_;
  Fields trailers_;
};

}  // namespace krypton::http
