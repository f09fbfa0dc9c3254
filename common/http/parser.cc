#include "common/http/parser.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>

#include "common/http/guard.h"

namespace krypton::http {
namespace {

constexpr size_t kLongestMethodAndVersion = 64;

Error Bad(std::string message, int status = 0) {
  return {
      .code = ErrorCode::kBadRequest, .message = std::move(message), .status = status, .param = {}};
}

// What llhttp saw, as it saw it: one span a name and one a value.
struct Spans {
  Fields& fields;
  int max_fields;
  std::string_view name;
  std::string_view value;
  const char* line_end = nullptr;  // Where the next field must start.
  const char* end = nullptr;       // Of the head.
  bool well_formed = true;
  bool too_many = false;
  bool complete = false;
};

Spans& Of(llhttp_t* parser) { return *static_cast<Spans*>(parser->data); }

// llhttp may deliver a span in parts; they are contiguous.
bool Extend(std::string_view& span, const char* at, size_t length) {
  if (span.data() == nullptr) {
    span = {at, length};
    return true;
  }
  if (span.data() + span.size() != at) return false;
  span = {span.data(), span.size() + length};
  return true;
}

// A field is accepted only where it stands exactly as the grammar has it: its name starts where the
// line before ended, the colon follows the name, only blanks part colon and value, and CRLF follows
// the value. That leaves no room for folded lines, bare CR or LF, and blanks before the colon.
bool StandsExactly(const Spans& spans, std::string_view name, std::string_view value) {
  if (name.data() != spans.line_end || !IsToken(name)) return false;
  const char* position = name.data() + name.size();
  if (*position++ != ':') return false;
  while (position != spans.end && (*position == ' ' || *position == '\t')) ++position;
  if (value.empty()) return position[0] == '\r' && position[1] == '\n';
  return value.data() == position && IsValue(value) && value.data()[value.size()] == '\r' &&
         value.data()[value.size() + 1] == '\n';
}

void FinishField(Spans& spans) {
  if (spans.name.data() == nullptr) return;
  const std::string_view name = spans.name;
  const char* after = name.data() + name.size();
  if (spans.value.empty()) {
    // llhttp's span of an empty value may stand anywhere in the blanks.
    const auto* line_feed =
        static_cast<const char*>(memchr(after, '\n', static_cast<size_t>(spans.end - after)));
    const char* value_at = line_feed == nullptr ? after : line_feed - 1;
    spans.value = {value_at, 0};
  }
  spans.well_formed = spans.well_formed && StandsExactly(spans, name, spans.value);
  spans.line_end = spans.value.data() + spans.value.size() + 2;
  if (spans.fields.size() >= static_cast<size_t>(spans.max_fields)) {
    spans.too_many = true;
  } else {
    spans.fields.Add(name, TrimOws(spans.value));
  }
  spans.name = {};
  spans.value = {};
}

int OnField(llhttp_t* parser, const char* at, size_t length) {
  Spans& spans = Of(parser);
  if (spans.value.data() != nullptr) FinishField(spans);
  if (!Extend(spans.name, at, length)) spans.well_formed = false;
  return 0;
}

int OnValue(llhttp_t* parser, const char* at, size_t length) {
  Spans& spans = Of(parser);
  if (!Extend(spans.value, at, length)) spans.well_formed = false;
  return 0;
}

int OnFieldComplete(llhttp_t* parser) {
  Spans& spans = Of(parser);
  if (spans.value.data() == nullptr) spans.value = {spans.name.data() + spans.name.size(), 0};
  return 0;
}

int OnHeadersComplete(llhttp_t* parser) {
  Spans& spans = Of(parser);
  FinishField(spans);
  spans.complete = true;
  return HPE_PAUSED;  // Bodies are not llhttp's business.
}

const llhttp_settings_t& Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_header_field = OnField;
    made.on_header_value = OnValue;
    made.on_header_value_complete = OnFieldComplete;
    made.on_headers_complete = OnHeadersComplete;
    return made;
  }();
  return settings;
}

// Runs llhttp over a whole head whose first line ends at `first_line_end`.
llhttp_errno_t Run(llhttp_t& parser, llhttp_type_t type, std::string_view bytes,
                   size_t first_line_end, Spans& spans) {
  llhttp_init(&parser, type, &Settings());
  parser.data = &spans;
  const auto lines = static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  spans.fields.Reserve(std::min(lines, static_cast<size_t>(spans.max_fields)));
  spans.line_end = bytes.data() + first_line_end + 2;
  spans.end = bytes.data() + bytes.size();
  return llhttp_execute(&parser, bytes.data(), bytes.size());
}

// llhttp agreed, and the fields fill the head to its last byte.
bool IsExact(const Spans& spans) {
  return spans.complete && spans.well_formed && spans.line_end + 2 == spans.end;
}

}  // namespace

std::optional<Error> HeadReader::CheckGrowth(std::string_view added) const {
  if (in_first_line_ && request_) {
    // What is behind the limit is not looked at, so that a split makes no difference.
    const size_t limit = limits_.max_target_bytes + kLongestMethodAndVersion;
    const size_t beyond = bytes_.size() > limit ? bytes_.size() - limit : 0;
    for (const char c : added.substr(0, added.size() - std::min(beyond, added.size()))) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\r' && c != '\n') || byte >= 0x7f) {
        return Bad("the request line has bytes that it must not have");
      }
    }
    if (beyond > 0) return Bad("the target is too long", 414);
  }
  if (bytes_.size() > limits_.max_head_bytes) {
    return Error{.code = ErrorCode::kHeadersTooLarge,
                 .message = "the head is larger than the limit",
                 .param = {}};
  }
  return std::nullopt;
}

HeadReader::Step HeadReader::Feed(std::string_view input) {
  size_t position = 0;
  while (position < input.size()) {
    const void* found = memchr(input.data() + position, '\n', input.size() - position);
    const size_t stop =
        found == nullptr ? input.size()
                         : static_cast<size_t>(static_cast<const char*>(found) - input.data()) + 1;
    const std::string_view added = input.substr(position, stop - position);
    bytes_.append(added);
    position = stop;
    if (auto error = CheckGrowth(added)) return {position, false, error};
    if (found == nullptr) break;
    const size_t line_size = bytes_.size() - line_start_;
    if (line_size < 2 || bytes_[bytes_.size() - 2] != '\r') {
      return {position, false, Bad("a line ends without CR")};
    }
    if (line_size > 2) {
      line_start_ = bytes_.size();
      in_first_line_ = false;
    } else if (!in_first_line_) {
      return {position, true, std::nullopt};
    } else {
      // RFC 9112 §2.2: an empty line before the request line is skipped. One is enough.
      if (++empty_lines_ > 1) return {position, false, Bad("empty lines before the request")};
      bytes_.clear();
    }
  }
  return {position, false, std::nullopt};
}

std::optional<Error> ParseRequest(RequestHead& head, const HeadLimits& limits) {
  head.fields.Clear();
  const std::string_view bytes = head.bytes;
  const size_t line_end = bytes.find("\r\n");
  const RequestLineOrError split =
      SplitRequestLine(bytes.substr(0, line_end), limits.max_target_bytes);
  if (split.error) return split.error;
  head.method = split.line.method;
  head.target = split.line.target;
  head.version_minor = split.line.version_minor;
  if (head.method == "CONNECT") return CheckRequest(head);

  llhttp_t parser;
  Spans spans{.fields = head.fields, .max_fields = limits.max_fields, .name = {}, .value = {}};
  const llhttp_errno_t result = Run(parser, HTTP_REQUEST, bytes, line_end, spans);
  if (spans.too_many) {
    return Error{.code = ErrorCode::kHeadersTooLarge, .message = "too many fields", .param = {}};
  }
  if (result == HPE_INVALID_METHOD) return Bad("the method is not known", 501);
  const auto error = CheckRequest(head);  // Its words are better than llhttp's, where it has any.
  if (error || ((result == HPE_OK || result == HPE_PAUSED) && IsExact(spans))) return error;
  return Bad("the head is malformed");
}

bool ParseResponse(ResponseHead& head, std::string_view request_method, const HeadLimits& limits) {
  head.fields.Clear();
  const std::string_view bytes = head.bytes;
  const size_t line_end = bytes.find("\r\n");
  const std::string_view line = bytes.substr(0, line_end);
  // "HTTP/1.x NNN[ reason]"
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ' || (line.size() > 12 && line[12] != ' ') || !IsValue(line)) {
    return false;
  }
  head.version_minor = line[7] - '0';
  head.reason = line.size() > 13 ? line.substr(13) : std::string_view();

  llhttp_t parser;
  Spans spans{.fields = head.fields, .max_fields = limits.max_fields, .name = {}, .value = {}};
  const llhttp_errno_t result = Run(parser, HTTP_RESPONSE, bytes, line_end, spans);
  if ((result != HPE_OK && result != HPE_PAUSED) || !IsExact(spans) || spans.too_many) return false;
  head.status = parser.status_code;
  if (head.status < 100 || head.status > 999) return false;
  return CheckResponse(head, request_method);
}

}  // namespace krypton::http
