// Whether bytes are text, and what makes them such. Protobuf refuses a message with any other in a
// `string`. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace krypton::config {

// The first byte that is not part of well-formed UTF-8 (RFC 3629), or npos.
size_t FindInvalidUtf8(std::string_view text);

// Each byte that is not part of well-formed UTF-8 becomes U+FFFD.
std::string ToUtf8(std::string text);

// Of well-formed text: how many characters it has, and where number `index` begins (its end, if it
// has fewer).
size_t CountCharacters(std::string_view text);
size_t OffsetOfCharacter(std::string_view text, size_t index);

// At most `max_bytes` of the text, cut at the beginning of a character.
std::string CutUtf8(std::string text, size_t max_bytes);

}  // namespace krypton::config
