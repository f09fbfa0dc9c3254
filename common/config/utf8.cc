#include "common/config/utf8.h"

#include <algorithm>

namespace krypton::config {
namespace {

// Bytes of the well-formed sequence that begins here (RFC 3629 §4), or 0.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i, unsigned char low = 0x80, unsigned char high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned char low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : 0xbf;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned char low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xf4 ? 0x8f : 0xbf;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool BeginsCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

}  // namespace

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string ToUtf8(std::string text) {
  std::string clean;
  std::string_view rest = text;
  for (size_t bad; (bad = FindInvalidUtf8(rest)) != rest.npos;) {
    clean.append(rest.substr(0, bad)).append("\xef\xbf\xbd");
    rest.remove_prefix(bad + 1);
  }
  if (clean.empty()) return text;
  return clean.append(rest);
}

size_t CountCharacters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

size_t OffsetOfCharacter(std::string_view text, size_t index) {
  size_t at = 0;
  while (at < text.size() && (!BeginsCharacter(text[at]) || index-- > 0)) ++at;
  return at;
}

std::string CutUtf8(std::string text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && !BeginsCharacter(text[max_bytes])) --max_bytes;
  text.resize(max_bytes);
  return text;
}

}  // namespace krypton::config
