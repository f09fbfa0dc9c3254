// What others say, as it may stand on a terminal: without the control characters by which it could
// write elsewhere on the screen, into the clipboard or into the terminal's input. Pure.
#pragma once

#include <string>
#include <string_view>

namespace krypton::cli {

// `text` with U+FFFD for each control character (ASCII's and Latin-1's) but tab and line feed;
// carriage returns go.
std::string Printable(std::string_view text);

}  // namespace krypton::cli
