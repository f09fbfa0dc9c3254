// A manifest as anybody writes it, or breaks it: resources that write and read back, or problems.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/fuzz/check.h"
#include "common/resource/manifest.h"

namespace krypton::resource {
namespace {

using fuzz::Check;

std::string Written(const Resource& resource) {
  return resource.agent() != nullptr ? ToYaml(*resource.agent()) : ToYaml(*resource.model());
}

void Parse(std::string_view yaml, Target target) {
  const Manifest manifest = ParseManifest("f", yaml, target);
  for (const v1::ManifestProblem& problem : manifest.problems) {
    Check(!problem.reason().empty(), "a problem has a reason");
    ToString(problem);
  }
  for (const ManifestResource& found : manifest.resources) {
    const std::string written = Written(*found.resource);
    const Manifest again = ParseManifest("f", written, target);
    Check(again.resources.size() == 1, "a written resource reads back");
    Check(Written(*again.resources[0].resource) == written, "and is the same");
  }
}

}  // namespace
}  // namespace krypton::resource

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using krypton::resource::Target;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  krypton::resource::Parse(yaml, Target::kLocal);
  krypton::resource::Parse(yaml, Target::kCluster);
  return 0;
}
