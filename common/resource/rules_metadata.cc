#include <algorithm>

#include "common/config/suggest.h"
#include "common/resource/fields.h"
#include "common/resource/rule_sets.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

using Violations = std::vector<Violation>;
using StringMap = google::protobuf::Map<std::string, std::string>;

Violations CheckLabel(const char* field, const std::string& text) {
  if (IsDnsLabel(text)) return {};
  if (text.empty()) return {{field, "is required"}};
  return {{field, fmt::format("\"{}\" is not lower-case letters, digits and '-', with a letter or "
                              "digit at both ends, at most 63 characters (RFC 1123)",
                              text.substr(0, 80))}};
}

// In the order of their names: a map's own order is not the same twice.
std::vector<std::pair<std::string, std::string>> Sorted(const StringMap& map) {
  std::vector<std::pair<std::string, std::string>> sorted(map.begin(), map.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Violations CheckNames(const char* field, const StringMap& map, const char* what) {
  Violations violations;
  for (const auto& [name, value] : Sorted(map)) {
    if (!IsQualifiedName(name)) {
      violations.push_back(
          {Join(field, name), fmt::format("is not a name that {} may have", what)});
    }
  }
  return violations;
}

Violations CheckName(const Subject& s) { return CheckLabel("metadata.name", s.metadata.name()); }

Violations CheckNamespace(const Subject& s) {
  return CheckLabel("metadata.namespace", s.metadata.namespace_());
}

Violations CheckLabels(const Subject& s) {
  Violations violations = CheckNames("metadata.labels", s.metadata.labels(), "a label");
  for (const auto& [name, value] : Sorted(s.metadata.labels())) {
    if (!IsLabelValue(value)) {
      violations.push_back(
          {Join("metadata.labels", name),
           fmt::format("\"{}\" is not a label's value: at most 63 letters, digits, "
                       "'-', '_' and '.'",
                       value.substr(0, 80))});
    }
  }
  return violations;
}

Violations CheckReservedLabels(const Subject& s) {
  Violations violations;
  for (const auto& [name, value] : Sorted(s.metadata.labels())) {
    if (!IsReservedName(name)) continue;
    violations.push_back({Join("metadata.labels", name), "is reserved: Krypton sets krypton.ai/*"});
  }
  return violations;
}

Violations CheckAnnotations(const Subject& s) {
  return CheckNames("metadata.annotations", s.metadata.annotations(), "an annotation");
}

Violations CheckReservedAnnotations(const Subject& s) {
  Violations violations;
  for (const auto& [name, value] : Sorted(s.metadata.annotations())) {
    if (!IsReservedName(name) || name == kLocalCommandAnnotation) continue;
    violations.push_back({Join("metadata.annotations", name),
                          "is reserved: of krypton.ai/* only krypton.ai/local-command is known" +
                              config::DidYouMean(name, {kLocalCommandAnnotation})});
  }
  return violations;
}

Violations CheckLocalCommand(const Subject& s) {
  if (s.target == Target::kCluster) return {};
  const std::string field = Join("metadata.annotations", kLocalCommandAnnotation);
  const auto found = s.metadata.annotations().find(kLocalCommandAnnotation);
  if (found == s.metadata.annotations().end()) {
    // A model has the server of its runtime.
    if (s.model != nullptr) return {};
    return {{field,
             "is required on one machine: the command that runs instead of the image, such as "
             "\"python3 agent.py\"; it listens on $PORT"}};
  }
  const std::string& command = found->second;
  if (command.find_first_not_of(" \t\r\n") == command.npos) return {{field, "is empty"}};
  if (command.find('\0') != command.npos) return {{field, "has a NUL in it"}};
  return {};
}

}  // namespace

std::vector<Rule> MetadataRules() {
  return {
      {"metadata.name", CheckName},
      {"metadata.namespace", CheckNamespace},
      {"metadata.labels", CheckLabels},
      {"metadata.labels", CheckReservedLabels},
      {"metadata.annotations", CheckAnnotations},
      {"metadata.annotations", CheckReservedAnnotations},
      {"metadata.annotations[\"krypton.ai/local-command\"]", CheckLocalCommand},
  };
}

}  // namespace krypton::resource
