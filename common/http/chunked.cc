#include "common/http/chunked.h"

#include <algorithm>

#include "common/http/guard.h"

namespace krypton::http {
namespace {

constexpr int kMaxSizeDigits = 16;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

void BodyDecoder::Start(Framing framing, uint64_t content_length, const BodyLimits& limits) {
  limits_ = limits;
  framing_ = framing;
  state_ = State::kMore;
  chunk_ = Chunk::kSize;
  digits_ = 0;
  remaining_ = framing == Framing::kLength ? content_length : 0;
  bytes_ = 0;
  extension_bytes_ = 0;
  line_start_ = 0;
  trailer_bytes_.clear();
  trailers_.Clear();
  if (framing == Framing::kNone || (framing == Framing::kLength && content_length == 0)) {
    state_ = State::kDone;
  } else if (framing == Framing::kLength && content_length > limits.max_body_bytes) {
    state_ = State::kTooLarge;
  }
}

BodyDecoder::Step BodyDecoder::TakeData(std::string_view input, uint64_t limit) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(input.size(), limit));
  bytes_ += size;
  if (bytes_ > limits_.max_body_bytes) {
    Fail(State::kTooLarge);
    return {};
  }
  return {size, input.substr(0, size)};
}

BodyDecoder::Step BodyDecoder::Next(std::string_view input) {
  if (state_ != State::kMore) return {};
  if (framing_ == Framing::kUntilClose) return TakeData(input, UINT64_MAX);
  if (framing_ == Framing::kLength) {
    const Step step = TakeData(input, remaining_);
    remaining_ -= step.consumed;
    if (remaining_ == 0) state_ = State::kDone;
    return step;
  }
  size_t position = 0;
  while (position < input.size() && state_ == State::kMore) {
    if (chunk_ == Chunk::kData) {
      Step step = TakeData(input.substr(position), remaining_);
      remaining_ -= step.consumed;
      if (remaining_ == 0) chunk_ = Chunk::kDataCr;
      step.consumed += position;
      return step;
    }
    OnChunkByte(input[position++]);
  }
  return {position, {}};
}

void BodyDecoder::OnChunkByte(char c) {
  switch (chunk_) {
    case Chunk::kSize:
      return OnSizeByte(c);
    case Chunk::kExtension:
      return OnExtensionByte(c);
    case Chunk::kSizeLf:
      if (c != '\n') return Fail(State::kBad);
      return EndSizeLine();
    case Chunk::kDataCr:
      chunk_ = Chunk::kDataLf;
      return c == '\r' ? void() : Fail(State::kBad);
    case Chunk::kDataLf:
      chunk_ = Chunk::kSize;
      return c == '\n' ? void() : Fail(State::kBad);
    case Chunk::kTrailer:
      return OnTrailerByte(c);
    case Chunk::kTrailerLf:
      if (c != '\n') return Fail(State::kBad);
      return EndTrailerLine();
    case Chunk::kData:
      return;
  }
}

void BodyDecoder::OnSizeByte(char c) {
  const int digit = HexDigit(c);
  if (digit >= 0) {
    if (++digits_ > kMaxSizeDigits || remaining_ > (UINT64_MAX >> 5)) return Fail(State::kBad);
    remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
    return;
  }
  if (digits_ == 0) return Fail(State::kBad);
  if (c == '\r') {
    chunk_ = Chunk::kSizeLf;
  } else if (c == ';') {
    chunk_ = Chunk::kExtension;
  } else {
    Fail(State::kBad);
  }
}

void BodyDecoder::OnExtensionByte(char c) {
  if (c == '\r') {
    chunk_ = Chunk::kSizeLf;
  } else if (!IsValueByte(c)) {
    Fail(State::kBad);
  } else if (++extension_bytes_ > limits_.max_extension_bytes) {
    Fail(State::kTooLarge);
  }
}

void BodyDecoder::EndSizeLine() {
  digits_ = 0;
  chunk_ = remaining_ == 0 ? Chunk::kTrailer : Chunk::kData;
}

void BodyDecoder::OnTrailerByte(char c) {
  if (c == '\r') {
    chunk_ = Chunk::kTrailerLf;
  } else if (!IsValueByte(c)) {
    Fail(State::kBad);
  } else if (trailer_bytes_.size() >= limits_.max_trailer_bytes) {
    Fail(State::kTooLarge);
  } else {
    trailer_bytes_.push_back(c);
  }
}

void BodyDecoder::EndTrailerLine() {
  chunk_ = Chunk::kTrailer;
  if (trailer_bytes_.size() > line_start_) {
    const std::string_view line = std::string_view(trailer_bytes_).substr(line_start_);
    if (!SplitFieldLine(line)) return Fail(State::kBad);
    trailer_bytes_.push_back('\n');
    line_start_ = trailer_bytes_.size();
    return;
  }
  // The empty line: only now do the bytes stand still, so only now are there spans.
  for (std::string_view rest = trailer_bytes_; !rest.empty();) {
    const size_t end = rest.find('\n');
    const auto field = SplitFieldLine(rest.substr(0, end));
    trailers_.Add(field->name, field->value);
    rest.remove_prefix(end + 1);
  }
  state_ = State::kDone;
}

void BodyDecoder::OnEof() {
  if (state_ != State::kMore) return;
  state_ = framing_ == Framing::kUntilClose ? State::kDone : State::kBad;
}

}  // namespace krypton::http
