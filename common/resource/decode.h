// A YAML tree as the Agent or Model that it says, by the descriptors of the contracts: a field's
// name in a manifest is its JSON name, and no list of fields is kept twice. What is said of a pod
// stands in a manifest directly under `spec`. Types are checked here, what values mean in rules.h.
// Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/resource/yaml_tree.h"
#include "google/protobuf/message.h"

namespace krypton::resource {

struct FieldProblem {
  // `spec.env[0].value`; empty for the document as a whole.
  std::string field;
  // From 1, in the whole file.
  int line = 0;
  // What is wrong with it: `must be an integer, not the string "80"`.
  std::string text;
};

struct Decoded {
  std::vector<FieldProblem> problems;
  // Where each field that was read stands.
  std::map<std::string, int> lines;
};

// Fills `metadata` and `spec` of an empty Agent or Model. `status`, and what only a server sets, is
// read over.
Decoded DecodeResource(const YamlNode& root, google::protobuf::Message* resource);

}  // namespace krypton::resource
