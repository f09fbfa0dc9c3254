#include "cli/target.h"

#include "absl/status/status.h"
#include "common/resource/key.h"

namespace krypton::cli {

absl::StatusOr<Target> ParseTarget(std::string_view text) {
  const auto key = resource::ParseKey(v1::RESOURCE_KIND_AGENT, text);
  if (!key.ok()) {
    return absl::InvalidArgumentError("\"" + std::string(text) +
                                      "\" is not NAMESPACE/NAME (such as default/echo)");
  }
  return Target{key->namespace_(), key->name()};
}

}  // namespace krypton::cli
