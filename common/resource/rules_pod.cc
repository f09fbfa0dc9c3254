#include <set>

#include "common/resource/fields.h"
#include "common/resource/rule_sets.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

using Violations = std::vector<Violation>;
using google::protobuf::Struct;

std::string NameOf(const Struct& value) {
  const auto found = value.fields().find("name");
  return found == value.fields().end() ? "" : found->second.string_value();
}

Violations CheckVolumes(const Subject& s) {
  Violations violations;
  std::set<std::string> seen;
  for (int i = 0; i < s.pod.volumes_size(); ++i) {
    const std::string name = NameOf(s.pod.volumes(i));
    const std::string field = Join(Join("spec.volumes", static_cast<size_t>(i)), "name");
    if (!IsDnsLabel(name)) {
      violations.push_back({field, name.empty() ? "is required" : "is not a volume's name"});
    } else if (name.starts_with("krypton-")) {
      violations.push_back({field, "is reserved: Krypton's own volumes are named krypton-*"});
    } else if (!seen.insert(name).second) {
      violations.push_back({field, fmt::format("\"{}\" comes twice", name)});
    }
  }
  return violations;
}

Violations CheckVolumeMounts(const Subject& s) {
  Violations violations;
  std::set<std::string> volumes;
  for (const Struct& volume : s.pod.volumes()) volumes.insert(NameOf(volume));
  for (int i = 0; i < s.pod.volume_mounts_size(); ++i) {
    const std::string name = NameOf(s.pod.volume_mounts(i));
    if (!name.empty() && volumes.count(name) > 0) continue;
    violations.push_back({Join(Join("spec.volumeMounts", static_cast<size_t>(i)), "name"),
                          name.empty()
                              ? "is required"
                              : fmt::format("\"{}\" is not in spec.volumes", name.substr(0, 80))});
  }
  return violations;
}

template <typename Map>
Violations CheckMeta(const char* field, const Map& map, bool labels) {
  Violations violations;
  std::set<std::string> names;
  for (const auto& [name, value] : map) names.insert(name);
  for (const std::string& name : names) {
    if (!IsQualifiedName(name)) {
      violations.push_back({Join(field, name), "is not a name that Kubernetes takes"});
    } else if (labels && (IsReservedName(name) || IsReservedLabel(name))) {
      violations.push_back({Join(field, name),
                            "is reserved: Krypton sets krypton.ai/* and "
                            "app.kubernetes.io/{name,instance,managed-by}"});
    } else if (IsReservedName(name)) {
      violations.push_back({Join(field, name), "is reserved: Krypton sets krypton.ai/*"});
    } else if (labels && !IsLabelValue(map.at(name))) {
      violations.push_back({Join(field, name), "is not a label's value"});
    }
  }
  return violations;
}

Violations CheckPodLabels(const Subject& s) {
  return CheckMeta("spec.podLabels", s.pod.pod_labels(), true);
}

Violations CheckPodAnnotations(const Subject& s) {
  return CheckMeta("spec.podAnnotations", s.pod.pod_annotations(), false);
}

Violations CheckClassNames(const Subject& s) {
  Violations violations;
  const auto check = [&](const char* field, const std::string& name) {
    if (!name.empty() && !IsDnsSubdomain(name)) {
      violations.push_back(
          {field, fmt::format("\"{}\" is not a name that Kubernetes takes", name.substr(0, 80))});
    }
  };
  check("spec.runtimeClassName", s.pod.runtime_class_name());
  check("spec.priorityClassName", s.pod.priority_class_name());
  return violations;
}

}  // namespace

std::vector<Rule> PodRules() {
  return {
      {"spec.volumes", CheckVolumes},
      {"spec.volumeMounts", CheckVolumeMounts},
      {"spec.podLabels", CheckPodLabels},
      {"spec.podAnnotations", CheckPodAnnotations},
      {"spec.runtimeClassName", CheckClassNames},
  };
}

}  // namespace krypton::resource
