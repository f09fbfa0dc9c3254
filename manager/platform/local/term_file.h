// The term of the manager on one machine: a number in the state folder, one more at each start, so
// that a decision of an earlier manager can be told from one of this. In a cluster the Lease
// counts.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace krypton::platform {

// Makes the folder where it is missing, and keeps the number before it returns it. An error names
// the path and what to do. A file that holds no number counts as none: the term is then the time in
// seconds, which is more than any number of starts.
absl::StatusOr<uint64_t> NextTerm(const std::string& state_dir);

}  // namespace krypton::platform
