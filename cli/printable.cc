#include "cli/printable.h"

namespace krypton::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool ascii_control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
    // U+0080 to U+009F in UTF-8; some terminals take them as ESC and a letter.
    const bool latin_control = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    if (latin_control) ++i;
    if (byte == '\r') continue;
    if (ascii_control || latin_control) {
      out += kReplacement;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace krypton::cli
