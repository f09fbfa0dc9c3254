// An answer's stream as a model's server sends it: it passes unchanged however it is cut, whole
// events at a time, and the same is read of it; what is hidden is hidden however it is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "gateway/openai/event_stream.h"

namespace krypton::gateway {
namespace {

using fuzz::Check;

struct Outcome {
  std::string text;
  int64_t events = 0;
  std::optional<Usage> usage;
  bool complete = false;
  bool operator==(const Outcome&) const = default;
};

void Take(http::IoVecs& pieces, std::string& out) {
  for (size_t i = 0; i < pieces.count(); ++i) {
    out.append(static_cast<const char*>(pieces.data()[i].iov_base), pieces.data()[i].iov_len);
  }
}

// In calls of one piece each, or in one call.
Outcome Pass(std::string_view first, std::string_view second, bool hide, bool one_call) {
  EventStream stream(hide);
  Outcome outcome;
  http::IoVecs pieces;
  const std::string copy(first);
  pieces.Add(copy);
  if (!one_call) {
    stream.Pass(pieces, /*last=*/false, {});
    Take(pieces, outcome.text);
    pieces.Clear();
  }
  pieces.Add(second);
  const size_t count = pieces.count();
  stream.Pass(pieces, /*last=*/true, {});
  Check(pieces.count() <= count + (one_call ? 0 : 1), "the number of pieces does not grow");
  Take(pieces, outcome.text);
  outcome.events = stream.events();
  outcome.usage = stream.usage();
  outcome.complete = stream.complete();
  Check(stream.EndBroken("{}").empty() == outcome.complete, "nothing follows a complete stream");
  return outcome;
}

}  // namespace
}  // namespace krypton::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::fuzz::Check;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = text.empty() ? 0 : data[0] % (text.size() + 1);
  for (const bool hide : {false, true}) {
    const auto whole = krypton::gateway::Pass(text, {}, hide, /*one_call=*/true);
    if (!hide) Check(whole.text == text, "the stream passes unchanged");
    Check(whole.text.size() <= text.size(), "hiding takes away only");
    for (const bool one_call : {false, true}) {
      const auto split =
          krypton::gateway::Pass(text.substr(0, cut), text.substr(cut), hide, one_call);
      Check(split == whole, "the split makes no difference");
    }
  }
  return 0;
}
