#include "common/resource/rules.h"

#include <iterator>

#include "common/resource/rule_sets.h"

namespace krypton::resource {
namespace {

std::vector<Rule> AllRules() {
  std::vector<Rule> rules;
  for (auto part : {MetadataRules(), SpecRules(), AgentRules(), ModelRules(), PodRules()}) {
    std::move(part.begin(), part.end(), std::back_inserter(rules));
  }
  return rules;
}

}  // namespace

Subject::Subject(const v1::Agent& a)
    : metadata(a.metadata()), agent(&a.spec()), pod(a.spec().pod()) {}

Subject::Subject(const v1::Model& m)
    : metadata(m.metadata()), model(&m.spec()), pod(m.spec().pod()) {}

const std::vector<Rule>& Rules() {
  static const std::vector<Rule>* const kRules = new std::vector<Rule>(AllRules());
  return *kRules;
}

std::vector<Violation> Validate(const Subject& subject) {
  std::vector<Violation> violations;
  for (const Rule& rule : Rules()) {
    for (Violation& violation : rule.check(subject)) violations.push_back(std::move(violation));
  }
  return violations;
}

}  // namespace krypton::resource
