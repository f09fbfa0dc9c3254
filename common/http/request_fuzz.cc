// A request as a stranger sends it: llhttp, the guard and the body's decoder. How the bytes are
// split makes no difference, and an accepted head is as clean as the other side will take it to be.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "common/http/chunked.h"
#include "common/http/guard.h"
#include "common/http/parser.h"

namespace krypton::http {
namespace {

using fuzz::Check;

struct Outcome {
  int status = 0;  // 0: more is wanted; 200: taken.
  size_t head_bytes = 0;
  std::string body;
  bool operator==(const Outcome&) const = default;
};

void CheckFields(const Fields& fields) {
  for (const Field& field : fields) {
    Check(IsToken(field.name), "a field's name is a token");
    Check(IsValue(field.value), "a field's value has only a value's bytes");
    Check(field.id == Identify(field.name), "a field's id is its name's");
  }
}

void CheckHead(const RequestHead& head) {
  CheckFields(head.fields);
  Check(IsToken(head.method), "the method is a token");
  Check(head.target == "*" || head.target.front() == '/', "the target is a path or *");
  Check(head.target.find_first_of(" \t\r\n#") == std::string_view::npos, "the target is one word");
  Check(head.host.empty() || IsAuthority(head.host), "the host is host[:port]");
  Check(!head.host.empty() || head.version_minor == 0, "HTTP/1.1 names a host");
  Check(head.fields.Count("host") <= 1, "one Host");
  Check(head.fields.Count("content-length") + head.fields.Count("transfer-encoding") <= 1,
        "one framing");
  Check(head.framing != Framing::kUntilClose, "a request does not end by closing");
}

Outcome Parse(std::string_view first, std::string_view second) {
  RequestHead head;
  const HeadLimits limits{.max_head_bytes = 2048, .max_target_bytes = 512, .max_fields = 20};
  HeadReader reader(head.bytes, limits, true);
  BodyDecoder body;
  Outcome outcome;
  bool complete = false;
  for (std::string_view piece : {first, second}) {
    if (!complete) {
      const HeadReader::Step step = reader.Feed(piece);
      Check(step.consumed <= piece.size(), "no more is consumed than there is");
      if (step.error) return {step.error->Status(), 0, {}};
      if (!step.complete) continue;
      complete = true;
      piece.remove_prefix(step.consumed);
      if (const auto error = ParseRequest(head, limits)) return {error->Status(), 0, {}};
      CheckHead(head);
      outcome.head_bytes = head.bytes.size();
      body.Start(head.framing, head.content_length, BodyLimits{4096, 64, 64});
    }
    while (!piece.empty() && body.state() == BodyDecoder::State::kMore) {
      const BodyDecoder::Step step = body.Next(piece);
      outcome.body.append(step.piece);
      piece.remove_prefix(step.consumed);
    }
  }
  if (body.state() == BodyDecoder::State::kBad) return {400, 0, {}};
  if (body.state() == BodyDecoder::State::kTooLarge) return {413, 0, {}};
  CheckFields(body.trailers());
  outcome.status = complete && body.done() ? 200 : 0;
  return outcome;
}

}  // namespace
}  // namespace krypton::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::http::Parse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = Parse(text, {});
  for (const size_t at : {size / 2, size - size / 4, size_t{1}}) {
    if (at > size) continue;
    krypton::fuzz::Check(Parse(text.substr(0, at), text.substr(at)) == whole,
                         "a split makes no difference");
  }
  return 0;
}
