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
