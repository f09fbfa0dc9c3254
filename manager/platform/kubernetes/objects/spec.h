// The parts of a spec that agents and models share, where the two messages name them alike. Private
// to objects/.
#pragma once

#include <string>

#include "common/resource/resource.h"

namespace krypton::kube {

// `get` of the spec, whichever of the two it is.
template <typename Get>
decltype(auto) FromSpec(const resource::Resource& resource, Get get) {
  return resource.agent() != nullptr ? get(resource.agent()->spec())
                                     : get(resource.model()->spec());
}

inline const v1::PodTemplate& PodOf(const resource::Resource& resource) {
  return FromSpec(resource, [](const auto& spec) -> const v1::PodTemplate& { return spec.pod(); });
}

// Where it runs under an account of its own, which has its name.
inline bool HasOwnAccount(const resource::Resource& resource) {
  return FromSpec(resource, [](const auto& spec) { return spec.service_account_name().empty(); });
}

inline bool HasService(const resource::Resource& resource) {
  return FromSpec(resource, [](const auto& spec) { return spec.service(); });
}

}  // namespace krypton::kube
