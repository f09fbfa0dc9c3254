// Percent-encoding (RFC 3986 §2.1). Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace krypton::config {

// Letters, digits and `-._~` (RFC 3986 §2.3) stay, and what `also_plain` holds; each other byte
// becomes %XX.
std::string EncodePercent(std::string_view text, std::string_view also_plain = "");

// `plus_is_space` is for queries (the HTML standard's forms). nullopt for a `%` without two hex
// digits.
std::optional<std::string> DecodePercent(std::string_view text, bool plus_is_space = false);

}  // namespace krypton::config
