#include "common/transcode/metadata.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/transcode/scalars.h"

namespace krypton::transcode {
namespace {

// grpc-gateway's list, without Host: Go takes that one out of the headers.
constexpr std::array<absl::string_view, 23> kPermanent = {"accept",
                                                          "accept-charset",
                                                          "accept-language",
                                                          "accept-ranges",
                                                          "authorization",
                                                          "cache-control",
                                                          "content-type",
                                                          "cookie",
                                                          "date",
                                                          "expect",
                                                          "from",
                                                          "if-match",
                                                          "if-modified-since",
                                                          "if-none-match",
                                                          "if-schedule-tag-match",
                                                          "if-unmodified-since",
                                                          "max-forwards",
                                                          "origin",
                                                          "pragma",
                                                          "referer",
                                                          "user-agent",
                                                          "via",
                                                          "warning"};
constexpr std::array<absl::string_view, 2> kTrace = {"traceparent", "tracestate"};

bool IsPrintable(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

template <typename List>
bool Contains(const List& list, absl::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

std::optional<absl::string_view> FindHeader(const std::vector<Header>& headers,
                                            absl::string_view name) {
  for (const Header& header : headers) {
    if (absl::EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::vector<Header> MetadataOf(const Request& request) {
  std::vector<Header> metadata;
  std::vector<absl::string_view> forwarded_for;
  for (const Header& header : request.headers) {
    if (!IsPrintable(header.value)) continue;
    const std::string name = absl::AsciiStrToLower(header.name);
    if (name == "authorization") metadata.push_back({name, header.value});
    if (name == "x-forwarded-for") forwarded_for.push_back(header.value);
    if (Contains(kPermanent, name)) {
      metadata.push_back({absl::StrCat("grpcgateway-", name), header.value});
    } else if (Contains(kTrace, name)) {
      metadata.push_back({name, header.value});
    }
  }
  std::optional<absl::string_view> host = FindHeader(request.headers, "x-forwarded-host");
  if (!host || host->empty() || !IsPrintable(*host)) host = FindHeader(request.headers, "host");
  if (host && !host->empty() && IsPrintable(*host)) {
    metadata.push_back({"x-forwarded-host", std::string(*host)});
  }
  if (!request.peer.empty()) forwarded_for.push_back(request.peer);
  if (!forwarded_for.empty()) {
    metadata.push_back({"x-forwarded-for", absl::StrJoin(forwarded_for, ", ")});
  }
  return metadata;
}

std::optional<std::chrono::nanoseconds> ParseGrpcTimeout(absl::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const std::optional<uint64_t> count = ParseUint64(text.substr(0, text.size() - 1));
  if (!count) return std::nullopt;
  uint64_t unit = 0;
  switch (text.back()) {
    case 'H':
      unit = 3600ull * 1000000000;
      break;
    case 'M':
      unit = 60ull * 1000000000;
      break;
    case 'S':
      unit = 1000000000;
      break;
    case 'm':
      unit = 1000000;
      break;
    case 'u':
      unit = 1000;
      break;
    case 'n':
      unit = 1;
      break;
    default:
      return std::nullopt;
  }
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  return std::chrono::nanoseconds(*count > kMax / unit ? kMax : *count * unit);
}

Header HeaderOf(absl::string_view prefix, absl::string_view key, absl::string_view value) {
  // As Go writes header names: each word with a capital.
  std::string name = absl::StrCat(prefix, key);
  bool at_word = true;
  for (char& c : name) {
    c = at_word ? absl::ascii_toupper(c) : absl::ascii_tolower(c);
    at_word = c == '-';
  }
  return {std::move(name), absl::EndsWith(key, "-bin") ? EncodeBase64(value) : std::string(value)};
}

bool AcceptsTrailers(const Request& request) {
  const std::optional<absl::string_view> te = FindHeader(request.headers, "te");
  return te && absl::StrContains(absl::AsciiStrToLower(*te), "trailers");
}

}  // namespace krypton::transcode
