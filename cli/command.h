// What the commands share: how they say an error, and their exit statuses.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace krypton::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// "krypton: ..." on stderr. Returns kUsage for kInvalidArgument of our own making (a status without
// details), else kFailed; kOk, and silence, for an OK status.
int Fail(const absl::Status& status);

// Writes all of `text` to stdout at once. False when nobody reads any more.
bool Print(const std::string& text);

}  // namespace krypton::cli
