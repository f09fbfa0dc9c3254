// Chunked framing in every split: the same body, the same end, the same trailers.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "common/http/chunked.h"

namespace krypton::http {
namespace {

struct Outcome {
  BodyDecoder::State state = BodyDecoder::State::kMore;
  std::string body;
  std::string trailers;
  size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

// Fed in pieces of `step` bytes.
Outcome Decode(std::string_view input, size_t step) {
  BodyDecoder decoder;
  decoder.Start(Framing::kChunked, 0, BodyLimits{1024, 64, 128});
  Outcome outcome;
  while (!input.empty() && decoder.state() == BodyDecoder::State::kMore) {
    const BodyDecoder::Step taken = decoder.Next(input.substr(0, step));
    fuzz::Check(taken.consumed > 0 || decoder.state() != BodyDecoder::State::kMore,
                "each call takes something or ends");
    outcome.body.append(taken.piece);
    outcome.consumed += taken.consumed;
    input.remove_prefix(taken.consumed);
  }
  outcome.state = decoder.state();
  for (const Field& field : decoder.trailers()) {
    outcome.trailers.append(field.name).append(":").append(field.value).append("\n");
  }
  fuzz::Check(decoder.bytes() >= outcome.body.size(), "bytes() counts the body");
  // How much of what is refused was looked at may depend on the split.
  if (outcome.state == BodyDecoder::State::kTooLarge || outcome.state == BodyDecoder::State::kBad) {
    outcome = {.state = outcome.state};
  }
  return outcome;
}

}  // namespace
}  // namespace krypton::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::http::Decode;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = Decode(text, SIZE_MAX);
  for (const size_t step : {size_t{1}, size_t{7}}) {
    krypton::fuzz::Check(Decode(text, step) == whole, "a split makes no difference");
  }
  return 0;
}
