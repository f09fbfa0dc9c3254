// The shape of specs as the custom resource definitions have it: types, required fields, words and
// bounds, down into what Kubernetes defines (volumes, probes, ...), which the protos pass through.
// Read from the same table as the definitions (charts/crds/), so that a cluster and one machine
// refuse the same. Pure; any thread.
#pragma once

#include <vector>

#include "common/resource/decode.h"
#include "common/resource/yaml_tree.h"
#include "krypton/v1/resource.pb.h"

namespace krypton::resource {

// What is wrong with the shape of `spec`, in its order; empty for a kind that has none.
std::vector<FieldProblem> CheckShape(v1::ResourceKind kind, const YamlNode& spec);

}  // namespace krypton::resource
