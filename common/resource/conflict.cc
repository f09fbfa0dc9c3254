#include "common/resource/conflict.h"

#include <algorithm>

namespace krypton::resource {

bool HasNameConflict(const v1::RegistryEntry& entry) {
  const auto& conditions =
      entry.has_model() ? entry.model().status().conditions() : entry.agent().status().conditions();
  return std::any_of(conditions.begin(), conditions.end(), [](const v1::Condition& condition) {
    return condition.type() == kNameConflict && condition.status() == v1::CONDITION_STATUS_TRUE;
  });
}

}  // namespace krypton::resource
