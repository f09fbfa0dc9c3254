// An answer as a broken or hostile agent sends it. The first byte chooses the request's method, on
// which an answer's framing depends.
#include <array>
#include <cstdint>
#include <string_view>

#include "common/fuzz/check.h"
#include "common/http/guard.h"
#include "common/http/parser.h"

namespace krypton::http {
namespace {

using fuzz::Check;

void CheckHead(const ResponseHead& head, std::string_view method) {
  for (const Field& field : head.fields) {
    Check(IsToken(field.name), "a field's name is a token");
    Check(IsValue(field.value), "a field's value has only a value's bytes");
  }
  Check(IsValue(head.reason), "the reason has only a value's bytes");
  Check(head.status >= 100 && head.status <= 999, "a status has three digits");
  Check(head.framing != Framing::kChunked || head.version_minor == 1, "HTTP/1.0 has no chunks");
  Check(head.fields.Count("transfer-encoding") == 0 || !head.has_content_length, "one framing");
  const bool bodyless =
      method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304;
  Check(!bodyless || head.framing == Framing::kNone, "no body where none may be");
}

// Whether the head was complete and good.
bool Parse(std::string_view first, std::string_view second, std::string_view method) {
  ResponseHead head;
  const HeadLimits limits{.max_head_bytes = 2048, .max_fields = 20};
  HeadReader reader(head.bytes, limits, false);
  for (const std::string_view piece : {first, second}) {
    const HeadReader::Step step = reader.Feed(piece);
    Check(step.consumed <= piece.size(), "no more is consumed than there is");
    if (step.error) return false;
    if (!step.complete) continue;
    if (!ParseResponse(head, method, limits)) return false;
    CheckHead(head, method);
    return true;
  }
  return false;
}

}  // namespace
}  // namespace krypton::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::http::Parse;
  if (size == 0) return 0;
  constexpr std::array<std::string_view, 3> kMethods = {"GET", "HEAD", "POST"};
  const std::string_view method = kMethods[data[0] % kMethods.size()];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const bool whole = Parse(text, {}, method);
  const size_t half = text.size() / 2;
  krypton::fuzz::Check(Parse(text.substr(0, half), text.substr(half), method) == whole,
                       "a split makes no difference");
  return 0;
}
