// The parts of the table of rules.h, one a file.
#pragma once

#include <vector>

#include "common/resource/rules.h"

namespace krypton::resource {

std::vector<Rule> MetadataRules();
// What agents and models share: numbers, durations, images, environment, quantities.
std::vector<Rule> SpecRules();
std::vector<Rule> AgentRules();
std::vector<Rule> ModelRules();
std::vector<Rule> PodRules();

}  // namespace krypton::resource
