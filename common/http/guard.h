// The guard: what may stand in a head, beyond what llhttp checks. Pure functions over spans, any
// thread. Strict on purpose: what two servers could read in two ways is refused (RFC 9112 §11.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/http/error.h"
#include "common/http/message.h"

namespace krypton::http {

// RFC 9110 §5.6.2 tchar.
bool IsTokenByte(char c);
bool IsToken(std::string_view text);
// A byte of a field value: visible, space, tab, or obs-text (RFC 9110 §5.5).
inline bool IsValueByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
bool IsValue(std::string_view text);
std::string_view TrimOws(std::string_view text);

// "Name: value" without its line end; null when malformed.
std::optional<Field> SplitFieldLine(std::string_view line);

// host[:port] (RFC 3986 §3.2.2 without userinfo); not empty.
bool IsAuthority(std::string_view text);

// 1 to 19 digits and nothing else.
std::optional<uint64_t> ParseContentLength(std::string_view text);

// Whether the comma-separated list `value` has `token`, without case.
bool ListHas(std::string_view value, std::string_view token);

// What a request line says. Requires: no line end in `line`.
struct RequestLine {
  std::string_view method;
  std::string_view target;
  int version_minor = 1;
};
// The line split at exactly two spaces, or the error to answer.
struct RequestLineOrError {
  RequestLine line;
  std::optional<Error> error;
};
RequestLineOrError SplitRequestLine(std::string_view line, size_t max_target_bytes);

// Checks a request whose method, target, version and fields are set, and fills in what follows from
// them: target/path/query in origin-form, host, framing, keep_alive, expect_continue,
// wants_upgrade.
std::optional<Error> CheckRequest(RequestHead& head);

// The same for an answer; `request_method` decides whether a body follows. False when it must not
// be passed on.
bool CheckResponse(ResponseHead& head, std::string_view request_method);

}  // namespace krypton::http
