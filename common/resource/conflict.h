// Of an agent and a model with one name only one runs; the other's status says so. Pure.
#pragma once

#include "krypton/v1/registry.pb.h"

namespace krypton::resource {

// The type of the condition, True as long as another resource has the name.
inline constexpr char kNameConflict[] = "NameConflict";

// The manager does not run this one: whatever goes by the name (calls, series) is the other's.
bool HasNameConflict(const v1::RegistryEntry& entry);

}  // namespace krypton::resource
