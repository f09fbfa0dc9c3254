// What a resource must satisfy beside its shape, as a table: a field, and the rule as a function.
// One rule, one row; nothing else judges values. The definitions of a cluster carry the same rules
// in CEL (charts/crds/table.py); integration/chart compares the two by what they say of thousands
// of manifests. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/resource/manifest.h"
#include "krypton/v1/agent.pb.h"
#include "krypton/v1/model.pb.h"

namespace krypton::resource {

struct Violation {
  // `spec.port`.
  std::string field;
  // What is wrong: `70000 is not in 1..65535`.
  std::string text;
};

// A resource before and while it is judged; the parts that agents and models share, once.
struct Subject {
  explicit Subject(const v1::Agent& agent);
  explicit Subject(const v1::Model& model);

  const v1::ObjectMeta& metadata;
  // Exactly one is not null.
  const v1::AgentSpec* agent = nullptr;
  const v1::ModelSpec* model = nullptr;
  const v1::PodTemplate& pod;
  Target target = Target::kCluster;
};

struct Rule {
  // The field that it is about; a violation may name a part of it.
  const char* field;
  std::vector<Violation> (*check)(const Subject& subject);
};

// The table: metadata, what both specs share, agents, models, the pod.
const std::vector<Rule>& Rules();

// All violations of a defaulted resource, in the table's order.
std::vector<Violation> Validate(const Subject& subject);

// Sets what a spec leaves unset to the design's defaults. minReplicas is 1, and 0 for serverless;
// scaleToZeroAfter has a default for serverless only. A header's name becomes lower case.
void SetDefaults(v1::Agent* agent);
void SetDefaults(v1::Model* model);

}  // namespace krypton::resource
