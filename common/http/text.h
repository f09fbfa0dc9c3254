// Concat: strings put together (Debian's absl::StrCat does not take std::string_view).
#pragma once

#include <string>
#include <string_view>

namespace krypton::http {

template <class... Parts>
std::string Concat(const Parts&... parts) {
  std::string text;
  (text.append(std::string_view(parts)), ...);
  return text;
}

}  // namespace krypton::http
