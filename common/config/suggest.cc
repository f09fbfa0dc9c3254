#include "common/config/suggest.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"

namespace krypton::config {
namespace {

std::string Letters(std::string_view word) {
  std::string letters;
  for (const char c : word.substr(0, 64)) {
    if (c != '_' && c != '-' && c != ' ') letters += absl::ascii_tolower(c);
  }
  return letters;
}

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string letters = Letters(word);
  std::string_view nearest;
  size_t best = std::min<size_t>(2, letters.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = Distance(letters, Letters(candidate));
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace krypton::config
