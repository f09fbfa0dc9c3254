#include <algorithm>
#include <chrono>
#include <set>

#include "common/config/duration.h"
#include "common/resource/fields.h"
#include "common/resource/rule_sets.h"
#include "common/resource/syntax.h"
#include "fmt/format.h"

namespace krypton::resource {
namespace {

using Violations = std::vector<Violation>;
using google::protobuf::Duration;

// What agents and models share has the same accessors in both specs.
template <typename Read>
auto Shared(const Subject& s, Read read) {
  return s.agent != nullptr ? read(*s.agent) : read(*s.model);
}

Violations InRange(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return {};
  return {{field, fmt::format("{} is not in {}..{}", value, low, high)}};
}

Violations CheckImage(const Subject& s) {
  const std::string image = Shared(s, [](const auto& spec) { return spec.image(); });
  if (image.empty()) return {{"spec.image", "is required"}};
  if (IsPrintable(image) && image.size() <= 512) return {};
  return {
      {"spec.image", fmt::format("\"{}\" is not the name of an image: white space, or more than "
                                 "512 characters",
                                 image.substr(0, 80))}};
}

Violations CheckPullPolicy(const Subject& s) {
  const std::string policy = Shared(s, [](const auto& spec) { return spec.image_pull_policy(); });
  if (policy == "Always" || policy == "IfNotPresent" || policy == "Never") return {};
  return {{"spec.imagePullPolicy",
           fmt::format("\"{}\" is not one of Always, IfNotPresent, Never", policy.substr(0, 80))}};
}

Violations CheckPullSecrets(const Subject& s) {
  Violations violations;
  const auto names = Shared(s, [](const auto& spec) { return spec.image_pull_secrets(); });
  for (int i = 0; i < names.size(); ++i) {
    if (IsDnsSubdomain(names[i])) continue;
    violations.push_back(
        {Join(Join("spec.imagePullSecrets", static_cast<size_t>(i)), "name"),
         fmt::format("\"{}\" is not the name of a Secret", names[i].substr(0, 80))});
  }
  return violations;
}

Violations CheckPort(const Subject& s) {
  return InRange("spec.port", Shared(s, [](const auto& spec) { return spec.port(); }), 1, 65535);
}

Violations CheckSidecarPorts(const Subject& s) {
  const int port = Shared(s, [](const auto& spec) { return spec.port(); });
  if (s.target != Target::kCluster || (port != 8888 && port != 8889)) return {};
  return {{"spec.port", fmt::format("{} is the sidecar's own in a pod; choose another", port)}};
}

Violations CheckMinReplicas(const Subject& s) {
  return InRange("spec.minReplicas",
                 Shared(s, [](const auto& spec) { return spec.min_replicas(); }), 0, 10'000);
}

Violations CheckMaxReplicas(const Subject& s) {
  return InRange("spec.maxReplicas",
                 Shared(s, [](const auto& spec) { return spec.max_replicas(); }), 1, 10'000);
}

Violations CheckMinNotAboveMax(const Subject& s) {
  return Shared(s, [](const auto& spec) -> Violations {
    if (spec.min_replicas() <= spec.max_replicas() || spec.max_replicas() < 1) return {};
    return {{"spec.minReplicas", fmt::format("{} is above spec.maxReplicas, which is {}",
                                             spec.min_replicas(), spec.max_replicas())}};
  });
}

Violations CheckReplicas(const Subject& s) {
  return InRange("spec.replicas", Shared(s, [](const auto& spec) { return spec.replicas(); }), 0,
                 10'000);
}

// The default is 1 for everybody: the scale subresource demands a number.
Violations CheckOneWriterOfReplicas(const Subject& s) {
  return Shared(s, [](const auto& spec) -> Violations {
    if (spec.scaler() == v1::SCALER_EXTERNAL || spec.replicas() == 1) return {};
    return {
        {"spec.replicas",
         fmt::format("{} contradicts spec.scaler krypton, which decides by load: set the scaler "
                     "to external, or use minReplicas and maxReplicas",
                     spec.replicas())}};
  });
}

Violations CheckAlwaysOnHasReplicas(const Subject& s) {
  return Shared(s, [](const auto& spec) -> Violations {
    if (spec.mode() != v1::SCALING_MODE_ALWAYS_ON || spec.min_replicas() != 0) return {};
    return {{"spec.minReplicas",
             "0 contradicts spec.mode always-on: set it to 1 or more, or the mode to serverless"}};
  });
}

Violations CheckAlwaysOnStaysUp(const Subject& s) {
  return Shared(s, [](const auto& spec) -> Violations {
    if (spec.mode() != v1::SCALING_MODE_ALWAYS_ON || !spec.has_scale_to_zero_after()) return {};
    return {{"spec.scaleToZeroAfter",
             "contradicts spec.mode always-on: remove it, or set the mode to serverless"}};
  });
}

Violations CheckConcurrency(const Subject& s) {
  return InRange("spec.concurrency", Shared(s, [](const auto& spec) { return spec.concurrency(); }),
                 1, 10'000);
}

Violations DurationInRange(const char* field, const Duration& duration,
                           std::chrono::nanoseconds high) {
  const auto value =
      std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
  const std::chrono::nanoseconds low = std::chrono::milliseconds(1);
  if (value >= low && value <= high) return {};
  return {{field, fmt::format("{} is not in {}..{}", config::FormatDuration(value),
                              config::FormatDuration(low), config::FormatDuration(high))}};
}

Violations CheckScaleToZeroAfter(const Subject& s) {
  return Shared(s, [](const auto& spec) -> Violations {
    if (!spec.has_scale_to_zero_after()) return {};
    return DurationInRange("spec.scaleToZeroAfter", spec.scale_to_zero_after(),
                           std::chrono::hours(24 * 30));
  });
}

Violations CheckTimeout(const Subject& s) {
  return DurationInRange("spec.timeout", Shared(s, [](const auto& spec) { return spec.timeout(); }),
                         std::chrono::hours(24));
}

Violations CheckStartupTimeout(const Subject& s) {
  return DurationInRange("spec.startupTimeout",
                         Shared(s, [](const auto& spec) { return spec.startup_timeout(); }),
                         std::chrono::hours(24));
}

Violations CheckEnv(const Subject& s) {
  Violations violations;
  std::set<std::string> seen;
  const auto env = Shared(s, [](const auto& spec) { return spec.env(); });
  for (int i = 0; i < env.size(); ++i) {
    const std::string path = Join("spec.env", static_cast<size_t>(i));
    const std::string name = env[i].name();
    const auto add = [&](const char* part, std::string text) {
      violations.push_back({Join(path, part), std::move(text)});
    };
    if (name.empty()) {
      add("name", "is required");
    } else if (!IsEnvName(name)) {
      add("name", fmt::format("\"{}\" is not a variable's name", name.substr(0, 80)));
    } else if (!seen.insert(name).second) {
      add("name", fmt::format("\"{}\" comes twice", name.substr(0, 80)));
    }
    if (!env[i].value().empty() && env[i].has_value_from()) {
      add("valueFrom", "excludes value: set one of the two");
    }
    if (env[i].value().find('\0') != std::string::npos) add("value", "has a NUL in it");
  }
  return violations;
}

Violations CheckReservedEnv(const Subject& s) {
  Violations violations;
  const auto env = Shared(s, [](const auto& spec) { return spec.env(); });
  for (int i = 0; i < env.size(); ++i) {
    const std::string& name = env[i].name();
    if (name != "PORT" && !name.starts_with("KRYPTON_")) continue;
    violations.push_back(
        {Join(Join("spec.env", static_cast<size_t>(i)), "name"),
         fmt::format("\"{}\" is reserved: Krypton sets PORT and KRYPTON_*", name.substr(0, 80))});
  }
  return violations;
}

Violations CheckQuantities(const Subject& s) {
  Violations violations;
  const auto resources = Shared(s, [](const auto& spec) { return spec.resources(); });
  const auto check = [&](const char* part, const auto& map) {
    std::set<std::string> names;
    for (const auto& [name, value] : map) names.insert(name);
    for (const std::string& name : names) {
      const std::string& value = map.at(name);
      if (ParseQuantity(value).has_value()) continue;
      violations.push_back(
          {Join(Join("spec.resources", part), name),
           fmt::format("\"{}\" is not a quantity like 500m, 1.5 or 1Gi", value.substr(0, 80))});
    }
  };
  check("requests", resources.requests());
  check("limits", resources.limits());
  return violations;
}

Violations CheckRequestsWithinLimits(const Subject& s) {
  Violations violations;
  const auto resources = Shared(s, [](const auto& spec) { return spec.resources(); });
  std::set<std::string> names;  // A map's own order is not the same twice.
  for (const auto& [name, value] : resources.requests()) names.insert(name);
  for (const std::string& name : names) {
    const auto limit = resources.limits().find(name);
    if (limit == resources.limits().end()) continue;
    const auto asked = ParseQuantity(resources.requests().at(name));
    const auto most = ParseQuantity(limit->second);
    // Factors of ten are not exact in binary: what differs by less than any quantity can say is
    // equal.
    if (!asked.has_value() || !most.has_value() || *asked <= *most * (1 + 1e-14)) continue;
    violations.push_back({Join("spec.resources.requests", name),
                          fmt::format("{} is above its limit, which is {}",
                                      resources.requests().at(name), limit->second)});
  }
  return violations;
}

Violations CheckServiceAccount(const Subject& s) {
  const std::string name = Shared(s, [](const auto& spec) { return spec.service_account_name(); });
  if (name.empty() || IsDnsSubdomain(name)) return {};
  return {{"spec.serviceAccountName",
           fmt::format("\"{}\" is not the name of a ServiceAccount", name.substr(0, 80))}};
}

}  // namespace

std::vector<Rule> SpecRules() {
  return {
      {"spec.image", CheckImage},
      {"spec.imagePullPolicy", CheckPullPolicy},
      {"spec.imagePullSecrets", CheckPullSecrets},
      {"spec.port", CheckPort},
      {"spec.port", CheckSidecarPorts},
      {"spec.minReplicas", CheckMinReplicas},
      {"spec.maxReplicas", CheckMaxReplicas},
      {"spec.minReplicas", CheckMinNotAboveMax},
      {"spec.minReplicas", CheckAlwaysOnHasReplicas},
      {"spec.scaleToZeroAfter", CheckAlwaysOnStaysUp},
      {"spec.replicas", CheckReplicas},
      {"spec.replicas", CheckOneWriterOfReplicas},
      {"spec.concurrency", CheckConcurrency},
      {"spec.scaleToZeroAfter", CheckScaleToZeroAfter},
      {"spec.timeout", CheckTimeout},
      {"spec.startupTimeout", CheckStartupTimeout},
      {"spec.env", CheckEnv},
      {"spec.env", CheckReservedEnv},
      {"spec.resources", CheckQuantities},
      {"spec.resources.requests", CheckRequestsWithinLimits},
      {"spec.serviceAccountName", CheckServiceAccount},
  };
}

}  // namespace krypton::resource
