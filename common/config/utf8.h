// Whether bytes are text. A pure function; any thread.
#pragma once

#include <string_view>

namespace krypton::config {

// The first byte that is not part of well-formed UTF-8 (RFC 3629), or npos.
size_t FindInvalidUtf8(std::string_view text);

}  // namespace krypton::config
