#include "common/http/response.h"

#include <time.h>

#include <charconv>

#include "common/http/error.h"

namespace krypton::http {

void AppendNumber(std::string& out, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  out.append(digits, end.ptr);
}

void AppendStatusLine(std::string& out, int status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  AppendNumber(out, static_cast<uint64_t>(status));
  out.push_back(' ');
  out.append(reason.empty() ? ReasonPhrase(status) : reason).append("\r\n");
}

std::string_view DateField() {
  thread_local time_t made = 0;
  thread_local char text[48];
  thread_local size_t size = 0;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made) {
    tm parts;
    gmtime_r(&now.tv_sec, &parts);
    size = strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    made = now.tv_sec;
  }
  return {text, size};
}

std::string_view ChunkHeader(char* memory, uint64_t size) {
  auto end = std::to_chars(memory, memory + kMaxChunkHeader - 2, size, 16);
  *end.ptr++ = '\r';
  *end.ptr++ = '\n';
  return {memory, static_cast<size_t>(end.ptr - memory)};
}

}  // namespace krypton::http
