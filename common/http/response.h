// Building the heads that we send, and the values that repeat in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/workers.h"

namespace krypton::http {

inline void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// "HTTP/1.1 200 OK\r\n"; the given reason, or the usual one when it is empty.
void AppendStatusLine(std::string& out, int status, std::string_view reason = {});

void AppendNumber(std::string& out, uint64_t value);

// "Date: ...\r\n" of the current second; made once a second and thread.
std::string_view DateField();

// "1a2b\r\n" into `memory`, which has room for kMaxChunkHeader.
inline constexpr size_t kMaxChunkHeader = 18;
std::string_view ChunkHeader(char* memory, uint64_t size);

}  // namespace krypton::http
