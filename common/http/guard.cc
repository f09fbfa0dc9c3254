#include "common/http/guard.h"

#include <array>
#include <cstring>
#include <string>

namespace krypton::http {
namespace {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet MakeSet(std::string_view others) {
  ByteSet set{};
  for (int c = '0'; c <= '9'; ++c) set[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<size_t>(c)] = true;
  for (const char c : others) set[static_cast<unsigned char>(c)] = true;
  return set;
}

constexpr ByteSet kToken = MakeSet("!#$%&'*+-.^_`|~");
constexpr ByteSet kRegName =
    MakeSet("-._~!$&'()*+;=%");  // No ',': a list must not look like a host.
constexpr ByteSet kIpLiteral = MakeSet(":.");

bool AllIn(const ByteSet& set, std::string_view text) {
  for (const char c : text) {
    if (!set[static_cast<unsigned char>(c)]) return false;
  }
  return true;
}

bool IsPort(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65535;
}

Error Bad(std::string message, int status = 0) {
  return {
      .code = ErrorCode::kBadRequest, .message = std::move(message), .status = status, .param = {}};
}

// Visible ASCII without '#': what a target may consist of (RFC 9112 §3.2, and no fragment).
bool IsTarget(std::string_view text) {
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f || c == '#') return false;
  }
  return !text.empty();
}

void SetPath(RequestHead& head, std::string_view target) {
  head.target = target;
  const size_t question = target.find('?');
  head.path = target.substr(0, question);
  head.query =
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
}

// RFC 9112 §3.2.2: the authority of an absolute-form target replaces Host.
std::optional<Error> CheckAbsoluteForm(RequestHead& head, std::string_view rest) {
  const size_t end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  if (!IsAuthority(authority)) return Bad("the target's authority is not host[:port]");
  head.host = authority;
  if (end == std::string_view::npos) {
    SetPath(head, head.method == "OPTIONS" ? "*" : "/");
    return std::nullopt;
  }
  if (rest[end] == '?') return Bad("an absolute-form target needs a path");
  SetPath(head, rest.substr(end));
  return std::nullopt;
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

std::optional<Error> CheckTarget(RequestHead& head) {
  const std::string_view target = head.target;
  if (head.method == "CONNECT") return Bad("CONNECT is not served", 501);
  if (!IsTarget(target)) return Bad("the target has bytes that a URI must not have");
  if (target[0] == '/') {
    SetPath(head, target);
    return std::nullopt;
  }
  if (target == "*") {
    if (head.method != "OPTIONS") return Bad("the target * is for OPTIONS only");
    SetPath(head, target);
    return std::nullopt;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (StartsWithIgnoreCase(target, scheme)) {
      return CheckAbsoluteForm(head, target.substr(scheme.size()));
    }
  }
  return Bad("the target is neither a path nor an http URI");
}

// Everything about a head that the fields of both directions decide alike.
struct Found {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  int hosts = 0;
  int content_lengths = 0;
  int transfer_encodings = 0;
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

Found Find(const Fields& fields) {
  Found found;
  for (const Field& field : fields) {
    switch (field.id) {
      case FieldId::kHost:
        found.host = field.value;
        ++found.hosts;
        break;
      case FieldId::kContentLength:
        found.content_length = field.value;
        ++found.content_lengths;
        break;
      case FieldId::kTransferEncoding:
        found.transfer_encoding = field.value;
        ++found.transfer_encodings;
        break;
      case FieldId::kConnection:
        found.close |= ListHas(field.value, "close");
        found.keep_alive |= ListHas(field.value, "keep-alive");
        found.upgrade |= ListHas(field.value, "upgrade");
        break;
      default:
        break;
    }
  }
  return found;
}

bool KeepAlive(const Found& found, int version_minor) {
  return version_minor == 1 ? !found.close : found.keep_alive && !found.close;
}

std::optional<Error> CheckTransferEncoding(const Found& found, int version_minor) {
  if (version_minor == 0) return Bad("Transfer-Encoding is not part of HTTP/1.0");
  if (found.content_lengths > 0) return Bad("both Transfer-Encoding and Content-Length");
  if (found.transfer_encodings > 1) return Bad("several Transfer-Encoding fields");
  const char* const before = found.transfer_encoding.data() - 1;
  if (*before == '\t') return Bad("a tab before the Transfer-Encoding");
  if (EqualsIgnoreCase(found.transfer_encoding, "chunked")) return std::nullopt;
  constexpr std::string_view kLast = "chunked";
  const size_t comma = found.transfer_encoding.rfind(',');
  if (comma != std::string_view::npos &&
      EqualsIgnoreCase(TrimOws(found.transfer_encoding.substr(comma + 1)), kLast) &&
      !ListHas(found.transfer_encoding.substr(0, comma), kLast)) {
    return Bad("transfer codings other than chunked are not implemented", 501);
  }
  return Bad("the final transfer coding is not chunked");
}

std::optional<Error> CheckRequestFraming(RequestHead& head, const Found& found) {
  if (found.transfer_encodings > 0) {
    head.framing = Framing::kChunked;
    return CheckTransferEncoding(found, head.version_minor);
  }
  if (found.content_lengths == 0) return std::nullopt;
  if (found.content_lengths > 1) return Bad("several Content-Length fields");
  const auto length = ParseContentLength(found.content_length);
  if (!length) return Bad("the Content-Length is not a number");
  head.framing = Framing::kLength;
  head.content_length = *length;
  return std::nullopt;
}

std::optional<Error> CheckHost(RequestHead& head, const Found& found) {
  if (found.hosts > 1) return Bad("several Host fields");
  if (found.hosts == 0) {
    if (head.version_minor == 0) return std::nullopt;
    return Bad("no Host field");
  }
  if (!IsAuthority(found.host)) return Bad("the Host field is not host[:port]");
  if (head.host.empty()) head.host = found.host;
  return std::nullopt;
}

std::optional<Error> CheckExpect(RequestHead& head) {
  const std::string_view expect = head.fields.Get("expect");
  if (expect.data() == nullptr || head.version_minor == 0) return std::nullopt;
  if (!EqualsIgnoreCase(expect, "100-continue")) return Bad("an unknown expectation", 417);
  head.expect_continue = head.framing != Framing::kNone;
  return std::nullopt;
}

}  // namespace

bool IsTokenByte(char c) { return kToken[static_cast<unsigned char>(c)]; }

bool IsToken(std::string_view text) { return !text.empty() && AllIn(kToken, text); }

bool IsValue(std::string_view text) {
  bool good = true;
  for (const char c : text) good &= IsValueByte(c);
  return good;
}

std::string_view TrimOws(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<Field> SplitFieldLine(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const Field field{line.substr(0, colon), TrimOws(line.substr(colon + 1))};
  if (!IsToken(field.name) || !IsValue(field.value)) return std::nullopt;
  return field;
}

bool IsAuthority(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    if (!AllIn(kIpLiteral, text.substr(1, close - 1))) return false;
    const std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && IsPort(rest.substr(1)));
  }
  const size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  if (host.empty() || !AllIn(kRegName, host)) return false;
  return colon == std::string_view::npos || IsPort(text.substr(colon + 1));
}

std::optional<uint64_t> ParseContentLength(std::string_view text) {
  constexpr size_t kMaxDigits = 18;  // Below 2^60: nothing that is added to it overflows.
  if (text.empty() || text.size() > kMaxDigits) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool ListHas(std::string_view value, std::string_view token) {
  while (true) {
    const size_t comma = value.find(',');
    if (EqualsIgnoreCase(TrimOws(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

RequestLineOrError SplitRequestLine(std::string_view line, size_t max_target_bytes) {
  const size_t first = line.find(' ');
  if (first == std::string_view::npos || !IsToken(line.substr(0, first))) {
    return {{}, Bad("the request line is malformed")};
  }
  const size_t last = line.rfind(' ');
  const std::string_view version = line.substr(last + 1);
  RequestLine split{line.substr(0, first), {}, version == "HTTP/1.0" ? 0 : 1};
  if (last == first) return {split, Bad("the request line is malformed")};
  split.target = line.substr(first + 1, last - first - 1);
  if (split.target.empty() || split.target.find(' ') != std::string_view::npos) {
    return {split, Bad("the request line is malformed")};
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool known_form = version.size() == 8 && version.substr(0, 5) == "HTTP/" &&
                            version[6] == '.' && version[5] >= '0' && version[5] <= '9' &&
                            version[7] >= '0' && version[7] <= '9';
    return {split, known_form ? Bad("only HTTP/1.1 and HTTP/1.0 are served", 505)
                              : Bad("the request line is malformed")};
  }
  if (split.target.size() > max_target_bytes) return {split, Bad("the target is too long", 414)};
  return {split, std::nullopt};
}

std::optional<Error> CheckRequest(RequestHead& head) {
  head.host = {};
  head.framing = Framing::kNone;
  head.content_length = 0;
  head.expect_continue = false;
  const Found found = Find(head.fields);
  if (auto error = CheckTarget(head)) return error;
  if (auto error = CheckHost(head, found)) return error;
  if (auto error = CheckRequestFraming(head, found)) return error;
  if (auto error = CheckExpect(head)) return error;
  head.keep_alive = KeepAlive(found, head.version_minor);
  const std::string_view upgrade = found.upgrade ? head.fields.Get("upgrade") : std::string_view();
  head.wants_upgrade = head.version_minor == 1 && !upgrade.empty() && !ListHas(upgrade, "h2c");
  return std::nullopt;
}

bool CheckResponse(ResponseHead& head, std::string_view request_method) {
  const Found found = Find(head.fields);
  head.has_content_length = found.content_lengths == 1;
  head.content_length = 0;
  head.keep_alive = KeepAlive(found, head.version_minor);
  if (found.content_lengths > 1) return false;
  if (head.has_content_length) {
    const auto length = ParseContentLength(found.content_length);
    if (!length) return false;
    head.content_length = *length;
  }
  if (found.transfer_encodings > 0 && CheckTransferEncoding(found, head.version_minor))
    return false;
  if (head.status < 200 || head.status == 204 || head.status == 304 || request_method == "HEAD") {
    head.framing = Framing::kNone;
  } else if (found.transfer_encodings > 0) {
    head.framing = Framing::kChunked;
  } else {
    head.framing = head.has_content_length ? Framing::kLength : Framing::kUntilClose;
  }
  return true;
}

}  // namespace krypton::http
