// "did you mean ...?" for words of a known set. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace krypton::config {

// The candidate that differs least from `word`, or nothing when none is near: case and separators
// aside, at most a third of its letters are wrong, two at most.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// `; did you mean "minReplicas"?`, or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace krypton::config
