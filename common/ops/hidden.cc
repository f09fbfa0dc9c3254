#include "common/ops/hidden.h"

#include <algorithm>
#include <cctype>

namespace krypton::ops {
namespace {

bool Is(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() &&
         std::equal(name.begin(), name.end(), lower.begin(), [](unsigned char a, char b) {
           return static_cast<char>(std::tolower(a)) == b;
         });
}

}  // namespace

bool FitsBackend(const http::Fields& fields) {
  // Some of them have a longer name there.
  constexpr size_t kMoreThanTheValue = std::string_view("krypton-ops-accept-encoding: \r\n").size();
  return std::all_of(fields.begin(), fields.end(), [](const http::Field& field) {
    const auto escaped = std::count(field.value.begin(), field.value.end(), '%');
    return field.name.size() + field.value.size() + 2 * static_cast<size_t>(escaped) +
               kMoreThanTheValue <=
           kMaxLineBytes;
  });
}

void Unhide(transcode::Request& request) {
  std::erase_if(request.headers, [&](transcode::Header& header) {
    if (Is(header.name, kPeerField)) {
      request.peer = header.value;
      return true;
    }
    if (Is(header.name, kAcceptEncodingField)) header.name = "accept-encoding";
    if (Is(header.name, kContentTypeField)) header.name = "content-type";
    return false;
  });
}

}  // namespace krypton::ops
