// NAMESPACE/NAME on the command line. Pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace krypton::cli {

struct Target {
  std::string agent_namespace;
  std::string name;
};

// "default/echo"; "echo" alone is in the namespace `default`. kInvalidArgument for anything else.
absl::StatusOr<Target> ParseTarget(std::string_view text);

}  // namespace krypton::cli
