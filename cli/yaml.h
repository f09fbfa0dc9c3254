// JSON as YAML, for `-o yaml`. Pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace krypton::cli {

// Block style, keys in their order; a string that YAML would read as something else is quoted.
absl::StatusOr<std::string> JsonToYaml(std::string_view json);
// The same JSON, indented by two.
absl::StatusOr<std::string> PrettyJson(std::string_view json);

}  // namespace krypton::cli
