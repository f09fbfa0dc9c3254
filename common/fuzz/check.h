// What a fuzz target states about its input's outcome: libFuzzer and the replay take an abort for a
// finding. Any thread.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace krypton::fuzz {

// Ends the process when `holds` is false, and says which statement it was.
inline void Check(bool holds, std::string_view statement) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(statement.size()),
               statement.data());
  std::abort();
}

}  // namespace krypton::fuzz
