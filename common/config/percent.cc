#include "common/config/percent.h"

#include <charconv>

#include "absl/strings/ascii.h"

namespace krypton::config {

std::string EncodePercent(std::string_view text, std::string_view also_plain) {
  constexpr std::string_view kUnreserved = "-._~";
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || kUnreserved.find(c) != kUnreserved.npos ||
        also_plain.find(c) != also_plain.npos) {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

std::optional<std::string> DecodePercent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] == '%') {
      uint8_t byte = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* hex = text.data() + i + 1;
      if (std::from_chars(hex, hex + 2, byte, 16).ptr != hex + 2) return std::nullopt;
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace krypton::config
